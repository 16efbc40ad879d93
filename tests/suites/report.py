"""A plugin of pytest that writes a line of JSON a test to the file that SUITE_REPORT names, as `cargo xtask suites` reads it."""

import json
import os


def first_line(report):
    """What went wrong, without the way there."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash else str(report.longrepr or "")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] if lines else ""


class Reporter:
    def __init__(self, path):
        self.path = path
        self.found = {}

    def pytest_runtest_logreport(self, report):
        file = report.nodeid.split("::")[0].rsplit("/", 1)[-1]
        name = file.removesuffix(".py") + "::" + report.nodeid.split("::", 1)[-1]
        found = self.found.setdefault(
            report.nodeid,
            {"name": name, "area": file.removesuffix(".py"), "result": "passed", "seconds": 0, "failure": ""},
        )
        found["seconds"] += report.duration
        if report.failed and found["result"] != "failed":
            found.update(result="failed", failure=first_line(report)[:240])
        elif report.skipped and found["result"] == "passed":
            found["result"] = "skipped"
        if report.when == "teardown":
            found["seconds"] = int(found["seconds"])
            with open(self.path, "a") as file:
                print(json.dumps(found), file=file)


def pytest_configure(config):
    config.pluginmanager.register(Reporter(os.environ["SUITE_REPORT"]))
