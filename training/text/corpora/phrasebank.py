"""Financial PhraseBank (Malo et al. 2014): sentences of Finnish companies' English news."""

from pathlib import Path

from training.text.labelled import Labelled, of_rows, table
from training.text.sets.corpus import corpus


@corpus("CC BY-NC-SA 3.0, not for commercial use", "phrasebank", ask=True)
def phrasebank(folder: Path) -> Labelled:
    """A table with the columns sentence and label, or the published `Sentences_50Agree.txt`."""
    published = folder / "Sentences_50Agree.txt"
    if published.is_file():
        lines = published.read_text("latin-1").splitlines()
        parts = (line.rpartition("@") for line in lines)
        rows = [(text, label.strip()) for text, at, label in parts if at]
    else:
        rows = list(table(folder, "sentence", "label").iter_rows())
    return of_rows(folder, rows)
