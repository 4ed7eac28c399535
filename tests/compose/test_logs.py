"""From a line of log to what was foretold: the line, the link that Grafana makes, the page."""

import json
import logging
import re
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "infra" / "compose"
sys.path[:0] = [str(ROOT / "tests" / "fixtures"), str(ROOT / "infra" / "grafana")]

import request_page  # noqa: E402
from market import FLAT, Market  # noqa: E402
from predictor import starting, wait_for  # noqa: E402

from contracts.logs import JsonFormatter  # noqa: E402
from contracts.store import Store  # noqa: E402

COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
LOKI = yaml.safe_load((FOLDER / "grafana" / "datasources" / "loki.yaml").read_text())
[FIELD] = LOKI["datasources"][0]["jsonData"]["derivedFields"]
SHIPPER = yaml.safe_load((FOLDER / "logs" / "shipper.yaml").read_text())


def linked(line: str) -> str | None:
    """The id that Grafana's link bears for a line, None where there is no link."""
    found = re.search(FIELD["matcherRegex"], line)
    if found is None:
        return None
    # In a file that Grafana is provisioned by, $$ is a dollar.
    url = FIELD["url"].replace("$$", "$").replace("${__value.raw}", found[1])
    place = urlsplit(url)
    assert place.path == f"/d/{request_page.page()['uid']}"
    [bound] = parse_qs(place.query)["var-request_id"]
    return bound


def test_the_page_is_what_its_code_makes() -> None:
    said = "run `python infra/grafana/request_page.py`"
    assert json.loads(request_page.PAGE.read_text()) == request_page.page(), said
    sources = {
        each["uid"]
        for file in (FOLDER / "grafana" / "datasources").glob("*.yaml")
        for each in yaml.safe_load(file.read_text())["datasources"]
        if "uid" in each
    }
    assert {panel["datasource"]["uid"] for panel in request_page.page()["panels"]} <= sources


def test_a_line_of_ours_bears_its_link_and_others_none() -> None:
    record = logging.makeLogRecord({"msg": "request", "request_id": "desk-1.a_b", "status": 200})
    line = JsonFormatter().format(record)
    assert linked(line) == "desk-1.a_b"
    # As the shipper sends it: the parsed fields beside the line as it was.
    assert linked(json.dumps({**json.loads(line), "log": line})) == "desk-1.a_b"
    assert linked('{"message": "champion served"}') is None
    assert linked('{"request_id": "a b\\" onclick"}') is None


def test_the_shipper_hears_what_docker_sends_and_writes_where_loki_listens() -> None:
    [heard], [sent] = SHIPPER["pipeline"]["inputs"], SHIPPER["pipeline"]["outputs"]
    services = COMPOSE["services"]
    port = heard["port"]
    assert services["shipper"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    loki = yaml.safe_load((FOLDER / "logs" / "loki.yaml").read_text())
    assert (sent["host"], sent["port"]) == ("loki", loki["server"]["http_listen_port"])
    assert LOKI["datasources"][0]["url"] == f"http://{sent['host']}:{sent['port']}"
    ours = {name for name, each in services.items() if "build" in each}
    for name in ours:
        told = services[name]["logging"]
        assert told["driver"] == "fluentd"
        assert told["options"]["fluentd-address"] == f"127.0.0.1:{port}"
        assert told["options"]["fluentd-async"] == "true", "it starts without the shipper"
    labels = {each.strip().lstrip("$") for each in sent["label_keys"].split(",")}
    assert labels == {"container_name", "level"}, "an id as a label is a stream of its own"


def test_the_time_of_a_line_is_read_as_it_is_written() -> None:
    [parser] = SHIPPER["parsers"]
    line = json.loads(JsonFormatter().format(logging.makeLogRecord({"msg": "x"})))
    written = line[parser["time_key"]]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+[+]\d\d:\d\d", written)
    assert parser["time_format"] == "%Y-%m-%dT%H:%M:%S.%L%z"


@pytest.mark.integration
def test_a_request_id_found_in_a_log_leads_to_its_prediction(store: Store, tmp_path: Path) -> None:
    market = Market()
    market.crown(store, FLAT, 1)
    with starting(tmp_path) as start:
        predictor = start()
        wait_for(lambda: predictor.ready)
        body, told = {"symbols": ["SIM001", "SIM002"]}, {"X-Request-ID": "desk-77"}
        asked = httpx.post(f"{predictor.url}/predict", json=body, headers=told, timeout=30)
        answer = asked.json()["predictions"]
        httpx.post(f"{predictor.url}/predict", json={"symbols": ["SIM003"]}, timeout=30)
        wait_for(lambda: store.query("SELECT FROM requests").num_rows == 2)
        lines = predictor.log.read_text().splitlines()
    ids = [bound for line in lines if (bound := linked(line))]
    assert "desk-77" in ids
    call, foretold = (
        store.query(panel["targets"][0]["rawSql"].replace("${request_id:sqlstring}", "'desk-77'"))
        for panel in request_page.page()["panels"]
    )
    [one] = call.to_pylist()
    assert (one["route"], one["status"]) == ("/predict", 200)
    found = {(row["symbol"], row["prediction_id"]) for row in foretold.to_pylist()}
    assert {(each["symbol"], each["prediction_id"]) for each in answer} <= found
    assert {symbol for symbol, _ in found} == {"SIM001", "SIM002"}
