"""A text model as MLflow sees it, so that `mlflow models serve` can load one."""

from pathlib import Path
from typing import Any

from training.text import lexicon
from training.text.labelled import ORDER
from training.text.scorer import Scorer
from training.text.tuned import of_folder


def set_text_model() -> None:
    """Called by the two lines of code that MLflow keeps with each model."""
    import pandas as pd
    from mlflow.models import set_model
    from mlflow.pyfunc import PythonModel

    class TextModel(PythonModel):  # type: ignore[misc]
        """Answers a column `text` with the probabilities of the classes."""

        def load_context(self, context: Any) -> None:
            folder = Path(context.artifacts["bundle"])
            self.scorer = reader(folder)

        def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
            found = self.scorer.probabilities(model_input["text"].tolist())
            return pd.DataFrame(found, columns=[f"p_{word}" for word in ORDER])

    set_model(TextModel())


def reader(folder: Path) -> Scorer:
    """The text model whose files lie in that folder; raises TextModelGone."""
    version = (folder / "version").read_text()
    if version == lexicon.version():
        return lexicon.scorer()
    return Scorer(version, lambda: of_folder(folder))
