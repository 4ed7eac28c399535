"""A card states no licence that nobody declared."""

from pathlib import Path

import pytest

from training.finetune.card import licence_of


def test_a_name_on_the_hub_is_known_to_its_publisher() -> None:
    for name in ("ProsusAI/finbert", "somebody/else"):
        assert licence_of(name).endswith(f"check at https://huggingface.co/{name}")


def test_the_packaged_encoder_declares_its_own() -> None:
    assert licence_of("minilm").startswith("licence: apache-2.0, as declared beside its files")


@pytest.mark.parametrize(
    ("readme", "told"),
    [
        (None, "none is declared"),
        ("# A model\nlicense: mit\n", "none is declared"),
        ("---\nlanguage: en\n---\nlicense: mit\n", "none is declared"),
        ("---\nlanguage: en\nlicense: 'mit'\n---\n", "licence: mit,"),
        ("---\r\nlicense: cc-by-nc-4.0\r\n---\r\n", "licence: cc-by-nc-4.0,"),
        ("---\nlicense:\n- mit\n---\n", "none is declared"),
        ("---\nlicense_name: mit\n---\n", "none is declared"),
    ],
)
def test_a_folder_says_what_its_readme_declares(
    tmp_path: Path, readme: str | None, told: str
) -> None:
    if readme is not None:
        (tmp_path / "README.md").write_bytes(readme.encode())
    assert told in licence_of(str(tmp_path))
