"""The endpoints together. Each takes the state once and answers from it alone."""

from fastapi import APIRouter, Depends

from serving.routes import assets, model, predict
from serving.routes.admission import admitted
from serving.routes.health import health

# The direct ones' key is documented like their neighbours', which dependencies admit.
_keyed = APIRouter(dependencies=[Depends(admitted)])
for _theme in (predict.keyed, assets.keyed, model.keyed, predict.direct):
    _keyed.include_router(_theme)
router = APIRouter()
router.include_router(_keyed)
router.include_router(health)
