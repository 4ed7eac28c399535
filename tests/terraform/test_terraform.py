"""What Terraform makes of AWS: formatted, valid, planned with a mock, applied to an emulator."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import httpx
import postgres
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "infra" / "terraform"
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        shutil.which("terraform") is None, reason="terraform is no package of Debian's: install it"
    ),
]
PROVIDER = "registry.terraform.io/hashicorp/aws"
# Of an emulator: any account will do, and buckets are paths.
EMULATED = """
provider "aws" {
  access_key                  = "testing"
  secret_key                  = "testing"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true
}
"""


def mirrors() -> list[Path]:
    """Folders of this machine that hold the provider; without one the registry is asked."""
    places = [Path("/usr/share/terraform/plugins"), Path("/usr/local/share/terraform/plugins")]
    return [each for each in (*places, *Path("/opt").glob("*")) if (each / PROVIDER).is_dir()]


Terraform = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def terraform(tmp_path: Path) -> Terraform:
    """Runs terraform in a copy of the folder, initialised."""
    folder, about = tmp_path / "terraform", tmp_path / "terraform.rc"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    found = [f'filesystem_mirror {{ path = "{each}" }}' for each in mirrors()] or ["direct {}"]
    about.write_text(f"provider_installation {{\n  {found[0]}\n}}\n")
    told = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "AWS_"))}
    told |= {"TF_CLI_CONFIG_FILE": str(about), "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}

    def run(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = ["terraform", words[0], "-no-color", *words[1:]]
        return subprocess.run(
            command, cwd=folder, env=told | more, capture_output=True, text=True, timeout=500
        )

    done = run("init", "-backend=false", "-input=false")
    assert done.returncode == 0, done.stdout + done.stderr
    return run


def test_it_is_formatted_valid_and_plans_what_is_promised(terraform: Terraform) -> None:
    done = subprocess.run(["terraform", "fmt", "-check", "-recursive", "-diff", str(FOLDER)])
    assert done.returncode == 0
    for words in (("validate",), ("test",)):
        done = terraform(*words)
        assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Success! \d+ passed, 0 failed", done.stdout)


def test_what_is_promised_would_be_missed(terraform: Terraform, tmp_path: Path) -> None:
    nodes = tmp_path / "terraform" / "nodes.tf"
    text = nodes.read_text()
    assert "min_size     = 0" in text
    nodes.write_text(text.replace("min_size     = 0", "min_size     = 1"))
    done = terraform("test")
    assert done.returncode == 1 and "has to start from none" in done.stdout + done.stderr


def test_the_charts_look_for_the_pool_and_the_account_that_are_made() -> None:
    values = yaml.safe_load((ROOT / "helm" / "values" / "platform" / "eks.yaml").read_text())
    [(label, pool)] = values["ray"]["cluster"]["workers"]["nodeSelector"].items()
    assert f'{{ "{label}" = "{pool}" }}' in (FOLDER / "nodes.tf").read_text()
    defaults = yaml.safe_load((ROOT / "helm" / "platform" / "values.yaml").read_text())
    [toleration] = defaults["ray"]["cluster"]["workers"]["tolerations"]
    assert f'key    = "{toleration["key"]}"' in (FOLDER / "nodes.tf").read_text()
    cluster = (FOLDER / "access.tf").read_text()
    assert f'service_account = "{values["serviceAccountName"]}"' in cluster
    registry = (FOLDER / "registry.tf").read_text()
    made = set(re.findall(r'"(\w+)"', registry.partition("toset([")[2].partition("]")[0]))
    assert made == {path.parent.name for path in (ROOT / "helm").glob("*/Chart.yaml")}


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[str]:
    """An emulator of AWS of this test's own."""
    port = postgres.free_port()
    told = os.environ | {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (tmp_path / "moto.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=told)
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 120
    try:
        while time.monotonic() < deadline and server.poll() is None:
            try:
                httpx.get(url, timeout=5)
                break
            except httpx.TransportError:
                time.sleep(0.3)
        yield url
    finally:
        server.terminate()
        server.wait(30)


# The provider waits for a minute before it looks at a database that is being made.
@pytest.mark.slow
def test_it_is_applied_to_an_emulator_and_nothing_is_left_to_do(
    terraform: Terraform, aws: str, tmp_path: Path
) -> None:
    (tmp_path / "terraform" / "emulated_override.tf").write_text(EMULATED)
    # The emulator knows neither add-ons nor access entries nor pod identities: planned alone.
    (tmp_path / "terraform" / "access.tf").unlink()
    told = {"AWS_ENDPOINT_URL": aws, "TF_VAR_repository": "owner/finpulse"}
    done = terraform("apply", "-auto-approve", "-input=false", **told)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    made = json.loads(terraform("output", "-json").stdout)
    assert made["cluster"]["value"] == "finpulse"
    assert set(made["roles"]["value"]) == {"images", "staging", "canary", "production"}
    place = {"endpoint_url": aws, "region_name": "eu-central-1"}
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    eks = boto3.client("eks", **place, **keys)
    group = eks.describe_nodegroup(clusterName="finpulse", nodegroupName="gpu")["nodegroup"]
    assert group["scalingConfig"]["minSize"] == group["scalingConfig"]["desiredSize"] == 0
    assert group["taints"] == [{"key": "nvidia.com/gpu", "value": "true", "effect": "NO_SCHEDULE"}]
    [database] = boto3.client("rds", **place, **keys).describe_db_instances()["DBInstances"]
    assert (database["Engine"], database["PubliclyAccessible"]) == ("postgres", False)
    images = boto3.client("ecr", **place, **keys).describe_repositories()["repositories"]
    assert {each["imageTagMutability"] for each in images} == {"IMMUTABLE"} and len(images) == 3
