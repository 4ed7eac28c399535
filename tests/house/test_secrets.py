"""No secret is committed: detect-secrets looks at every file that git knows."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import transient_settings

ROOT = Path(__file__).resolve().parents[2]
# What has a shape of its own. Words such as `password` and digests of ours are everywhere here and
# would be found by the hundred.
KINDS = [
    "ArtifactoryDetector",
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "BasicAuthDetector",
    "CloudantDetector",
    "DiscordBotTokenDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "IbmCloudIamDetector",
    "IbmCosHmacDetector",
    "JwtTokenDetector",
    "MailchimpDetector",
    "NpmDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SendGridDetector",
    "SlackDetector",
    "SoftlayerDetector",
    "SquareOAuthDetector",
    "StripeDetector",
    "TelegramBotTokenDetector",
    "TwilioKeyDetector",
]
# Addresses of tests and examples, where nobody is; and names in which a token would begin.
NOWHERE = re.compile(
    r"://[^@\s]*@(127\.0\.0\.1|localhost|mlflow|elsewhere|host|x|\[::1\]|\{\w+\})[:/\"'\s]"
    r"|[a-z]gh[pousr]_"
)
LOCK = ("requirements.lock", ".png", ".parquet", ".gz")


def found(paths: Iterable[Path]) -> list[str]:
    """file:line: kind of each secret."""
    with transient_settings({"plugins_used": [{"name": kind} for kind in KINDS]}):
        secrets = [each for path in paths for each in scan_file(str(path))]
    return [
        f"{each.filename}:{each.line_number}: {each.type}"
        for each in secrets
        if not NOWHERE.search(Path(each.filename).read_text().splitlines()[each.line_number - 1])
    ]


@pytest.mark.slow  # half a minute, in `make lint`
def test_no_file_holds_one() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    paths = [ROOT / name for name in listed.stdout.splitlines() if not name.endswith(LOCK)]
    assert len(paths) > 500
    assert found(path for path in paths if path.is_file()) == []


@pytest.mark.parametrize(
    "secret",
    [
        "AKIA" + "IOSFODNN7EXAMPLE",
        "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345",
        "-----BEGIN RSA " + "PRIVATE KEY-----",
        "postgresql://admin:" + "correct-horse@db17.desk.internal/finpulse",
        "xoxb-" + "123456789012-123456789012-abcdefghijABCDEFGHIJ0123",
        "sk_live_" + "0123456789abcdefghijABCD",
    ],
)
def test_one_that_is_planted_is_found(tmp_path: Path, secret: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(f"# what it needs\nurl: {secret}\n")
    [line] = found([file])
    assert line.startswith(f"{file}:2: ")
