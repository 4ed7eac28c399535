"""The endpoints together. Each takes the state once and answers from it alone."""

from fastapi import APIRouter, Depends

from serving.routes import analysis, assets, explain, model, portfolio, predict
from serving.routes.admission import admitted
from serving.routes.health import health

# The direct ones' key is documented like their neighbours', which dependencies admit.
_keyed = APIRouter(dependencies=[Depends(admitted)])
for _theme in (predict, assets, model, analysis, explain, portfolio):
    _keyed.include_router(_theme.keyed)
_keyed.include_router(predict.direct)
router = APIRouter()
router.include_router(_keyed)
router.include_router(health)
