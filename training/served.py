"""What registered models import: two lines of code that MLflow keeps with each of them."""

from training.bundle.mlflow_model import set_bundle_model

__all__ = ["set_bundle_model"]
