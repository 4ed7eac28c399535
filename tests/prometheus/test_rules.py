"""The rules: PromQL that parses, a sentence and an action for each alert, and promtool's tests."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from contracts.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "helm" / "monitoring" / "rules").glob("*.yml"))
CASES = Path(__file__).with_name("rules_test.yml")
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="no promtool: it comes with the Debian package `prometheus`"
)
RULES = [r for f in FILES for g in yaml.safe_load(f.read_text())["groups"] for r in g["rules"]]
ALERTS = [rule for rule in RULES if "alert" in rule]


def promtool(*arguments: Path | str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(PROMTOOL), *map(str, arguments)], capture_output=True, text=True)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_every_rule_parses(rule: dict[str, Any]) -> None:
    assert promql_parser.parse(rule["expr"])
    if "record" in rule:
        assert re.fullmatch(r"finpulse:\w+(:\w+)?", rule["record"])


def test_the_parser_would_notice() -> None:
    with pytest.raises(ValueError):
        promql_parser.parse("sum(rate(finpulse_http_requests_total[5m])")


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_says_what_happened_and_what_to_do(rule: dict[str, Any]) -> None:
    assert {"alert", "expr", "labels", "annotations"} <= set(rule)
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert set(rule["annotations"]) == {"summary", "action"}
    assert promql_parser.parse_duration(rule.get("for", "1m"))


def test_prometheus_scrapes_the_ports_of_the_settings() -> None:
    folder = ROOT / "infra" / "prometheus"
    chosen = yaml.safe_load((folder / "prometheus.yml").read_text())
    scraped = {
        job["job_name"]: job["static_configs"][0]["targets"] for job in chosen["scrape_configs"]
    }
    fields = Settings.model_fields
    assert scraped == {
        "finpulse-predictor": [f"127.0.0.1:{fields['predictor_port'].default}"],
        "finpulse-exporter": [f"127.0.0.1:{fields['monitoring_port'].default}"],
    }
    [pattern] = chosen["rule_files"]
    assert sorted(path.resolve() for path in folder.glob(pattern)) == FILES
    jobs = re.findall(r'job="([^"]+)"', "".join(rule["expr"] for rule in RULES))
    assert set(jobs) == set(scraped)


def test_every_alert_is_tried_both_ways() -> None:
    tried: dict[str, set[bool]] = {}
    for test in yaml.safe_load(CASES.read_text())["tests"]:
        for case in test["alert_rule_test"]:
            tried.setdefault(case["alertname"], set()).add(bool(case["exp_alerts"]))
    assert set(tried) == {rule["alert"] for rule in ALERTS}
    assert all(ways == {True, False} for ways in tried.values()), tried


@needs_promtool
def test_the_rules_do_what_their_tests_say() -> None:
    done = promtool("check", "rules", *FILES)
    assert done.returncode == 0, done.stdout + done.stderr
    done = promtool("test", "rules", CASES, CASES.with_name("hung_test.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize(
    ("alert", "right", "wrong"),
    [
        ("Drift", "finpulse:drifted_features:ratio > 0.1", "finpulse:drifted_features:ratio > 0.3"),
        ("NoBetterThanPrior", "finpulse:loss_gain < 0", "finpulse:loss_gain < 0.1"),
        ("NoBetterThanPrior", "for: 1h", "for: 9h"),
        ("FeatureSkew", "unless finpulse_feature_skew_total", "and finpulse_feature_skew_total"),
        ("AliasRefused", 'result="refused"', 'result="agreed"'),
        ("ErrorBudget", "ratio_rate30m > 0.006", "ratio_rate6h > 0.006"),
    ],
)
def test_a_changed_rule_is_noticed(tmp_path: Path, alert: str, right: str, wrong: str) -> None:
    # As text: to YAML's readers the values `0x60` are a number, to promtool sixty zeros.
    head, *tests = re.split(r"(?m)^(?=  - name: )", CASES.read_text())
    # All of them take seconds; those of one alert notice what is wrong with it, and of the rules
    # as they are the test above says that they pass.
    asked = [test for test in tests if f"Finpulse{alert}" in test]
    rules = tmp_path / "rules"
    (tmp_path / CASES.name).write_text(
        re.sub(r"(?m)^  - \S+/\*\.yml$", f"  - {rules}/*.yml", head) + "".join(asked)
    )
    shutil.copytree(FILES[0].parent, rules)
    for file in rules.iterdir():
        file.write_text(file.read_text().replace(right, wrong))
    assert any(wrong in file.read_text() for file in rules.iterdir())
    done = promtool("test", "rules", tmp_path / CASES.name)
    assert done.returncode == 1 and f"alertname: Finpulse{alert}" in done.stdout + done.stderr
