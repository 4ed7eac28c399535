"""No secret is committed: detect-secrets looks at every file that git knows."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from detect_secrets.core.scan import scan_file, scan_line
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
# What they do not know: tokens by their beginnings, users without a name, and our own settings.
OWN = {
    "GitHub Fine-grained Token": r"github_pat_\w{22,}",
    "AWS Secret Key": r"(?i)aws_secret_access_key\W{1,5}[A-Za-z0-9/+]{40}(?!\w)",
    "Encrypted Private Key": r"-----BEGIN ENCRYPTED (?=PRIVATE KEY)",
    "Google API Key": r"\bAIza[\w-]{35}",
    "Hugging Face Token": r"\bhf_[A-Za-z0-9]{30,}",
    "Anthropic Key": r"\bsk-ant-[\w-]{30,}",
    "Nameless Credentials": r"://:[^@\s:/{$<]{6,}@",
    # A value that counts is a test's.
    "Value of a Secret Setting": (
        r"^\s*(?:\w+: )?(?:export |- )?[\"']?"
        r"(?:FINPULSE_(?:AIRFLOW_PASSWORD|API_KEYS)|POSTGRES_PASSWORD)[\"']?\s*[=:]\s*[\"']?"
        r"(?=\S*\d)(?!\S*0123456789)[^\s\"'{$<]{8,}"
    ),
}
# Addresses of tests and examples, where nobody is; and names in which a token would begin.
NOWHERE = re.compile(
    r"://[^@\s]*@(127\.0\.0\.1|localhost|mlflow|elsewhere|host|x|\[::1\]|\{\w+\})[:/\"'\s]"
    r"|[a-z]gh[pousr]_"
)
LOCK = ("requirements.lock", ".png", ".parquet", ".gz")


def found(paths: Iterable[Path]) -> list[str]:
    """file:line: kind of each secret."""
    told = []
    with transient_settings({"plugins_used": [{"name": kind} for kind in KINDS]}):
        for path in paths:
            lines = path.read_text(errors="replace").splitlines()
            seen = {(each.line_number, each.type) for each in scan_file(str(path))}
            kept = {(number, kind) for number, kind in seen if still(lines[number - 1], kind)}
            kept |= {
                (number, kind)
                for number, line in enumerate(lines, 1)
                for kind, form in OWN.items()
                if re.search(form, line)
            }
            told += [f"{path}:{number}: {kind}" for number, kind in sorted(kept)]
    return told


def still(line: str, kind: str) -> bool:
    """Whether a line holds a secret of that kind beside what is excused in it."""
    left = NOWHERE.sub(" ", line)
    return left == line or any(each.type == kind for each in scan_line(left))


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
        "github_pat_" + "11ABCDEFG0abcdefghijkl_0123456789abcdefghijklmnopqr",
        "aws_secret_access_key = " + "wJalrXUtnFEMI/K7M" + "DENG/bPxRfiCYEXAMPLEKEY",
        "-----BEGIN ENCRYPTED " + "PRIVATE KEY-----",
        "AIza" + "SyA1234567890abcdefghijklmnopqrstuv",
        "hf_" + "abcdefghijABCDEFGHIJabcdefghijABCD",
        "sk-ant-" + "api03-abcdefghijABCDEFGHIJ0123456789abcdefghij",
        "redis://:" + "correct-horse@10.2.3.4:6379/0",
        "FINPULSE_AIRFLOW_PASSWORD=" + "Tr0ub4dor&3x9Q",
        "FINPULSE_API_KEYS=" + "desk:9f86d081884c7d659a2feaa0c55ad015",
        "postgresql://a:" + "b@localhost/x " + "AKIA" + "IOSFODNN7EXAMPLE",
    ],
)
def test_one_that_is_planted_is_found(tmp_path: Path, secret: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(f"# what it needs\nurl: {secret}\n")
    [line] = found([file])
    assert line.startswith(f"{file}:2: ")
