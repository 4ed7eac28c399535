"""What registered models import: two lines of code that MLflow keeps with each of them."""

from training.bundle.mlflow_model import set_bundle_model
from training.text.mlflow_text import set_text_model

__all__ = ["set_bundle_model", "set_text_model"]
