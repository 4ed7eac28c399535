"""A bundle as MLflow sees it, so that `mlflow models serve` can load one."""

from pathlib import Path
from typing import Any

import numpy as np

from training.bundle.bundle import load_folder
from training.bundle.manifest import Manifest


def columns(manifest: Manifest) -> list[str]:
    """Names of a window's values as columns, oldest row first: `close_2_back`, ..., `close`."""
    return [
        f"{name}_{back}_back" if back else name
        for back in range(manifest.window - 1, -1, -1)
        for name in manifest.features
    ]


def set_bundle_model() -> None:
    """Called by the two lines of code that MLflow keeps with each model."""
    import pandas as pd
    from mlflow.models import set_model
    from mlflow.pyfunc import PythonModel

    class BundleModel(PythonModel):  # type: ignore[misc]
        """Verifies the bundle on loading; answers with the columns of its objective."""

        def load_context(self, context: Any) -> None:
            folder = Path(context.artifacts["bundle"])
            self.bundle = load_folder(folder, folder.name)

        def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
            values = model_input[columns(self.bundle.manifest)].to_numpy(dtype=np.float32)
            shape = (len(values), self.bundle.manifest.window, -1)
            said = self.bundle.forecast(values.reshape(shape))
            return pd.DataFrame(said, columns=self.bundle.manifest.asked.columns)

    set_model(BundleModel())
