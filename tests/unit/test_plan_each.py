# SPDX-License-Identifier: Apache-2.0
"""Many systems from one entry and a list: what becomes of it, and every way it is refused."""

from pathlib import Path

import pytest

from blackstart.model.codec import digest_of
from blackstart.model.errors import PlanRejected
from blackstart.model.plan import Mode, Plan
from blackstart.planfile.compile import compile_runbook
from blackstart.planfile.load import LocatedPlan, load_located, read_located
from tests.sample_manual import HEAD

LIST = "name,public_name,region,letter\nacme,acme.example.com,eu,A\nbeta,beta.example.com,us,B\n"
ENTRY = """\
  customers:
    profile: manual/any@1
    each_of: customers.csv
    settings: { backups: "bucket ${each.letter}" }
    state:
      - { name: database, backup: "b-${each.letter}", restore: restore_data, check: restore_data }
    tiers: [{ name: first, teams: ["${each.letter}"] }, { name: rest }]
    targets: { recovery: { place: "${each.region}", hub: "hub-${each.name}" } }
    watch:
      { use: http.expect, url: "https://${settings.public_name}/", timeout_s: "${each.letter}" }
    steps:
      notify_users:
        do: [x: { use: manual.do, params: { text: "Tell ${each.letter} of ${each.name}." } }]
"""


def write(folder: Path, entry: str = ENTRY, table: str | bytes = LIST) -> Path:
    content = table.encode() if isinstance(table, str) else table
    folder.joinpath("customers.csv").write_bytes(content)
    path = folder / "plan.yaml"
    path.write_text(HEAD.partition("  shop:")[0] + entry)
    return path


def problems_of(path: Path) -> tuple[str, ...]:
    try:
        load_located(path)
    except PlanRejected as rejected:
        return tuple(line.removeprefix(f"{path.parent}/") for line in rejected.problems)
    return ()


def text_of(plan: Plan, system: str) -> str:
    runbook = compile_runbook(plan, system, "recovery", Mode.RECOVERY, {})
    return str(runbook.step("notify_users").do[0].params["text"])


def test_each_line_of_the_list_is_a_system(tmp_path: Path) -> None:
    plan = load_located(write(tmp_path)).plan
    assert list(plan.systems) == ["customers-acme", "customers-beta"]
    acme, beta = plan.systems.values()
    assert acme.settings["public_name"] == "acme.example.com"
    assert (acme.settings["backups"], beta.settings["backups"]) == ("bucket A", "bucket B")
    assert (beta.state[0].backup, beta.tiers[0].teams) == ("b-B", ("B",))
    assert (beta.targets["recovery"].place, beta.targets["recovery"].values["hub"]) == (
        "us",
        "hub-beta",
    )
    assert beta.watch is not None
    assert beta.watch.params == {"url": "https://beta.example.com/", "timeout_s": "B"}
    assert text_of(plan, "customers-acme") == "Tell A of acme."
    assert acme.steps is beta.steps


def test_what_an_incident_keeps_needs_no_list_any_more(tmp_path: Path) -> None:
    for written in ("customers.csv", "'customers.csv'", '"customers.csv"  # the list'):
        entry = ENTRY.replace("each_of: customers.csv", f"each_of: {written}")
        located = load_located(write(tmp_path, entry, b"\xef\xbb\xbf" + LIST.encode()))
        kept = read_located(located.content, "kept.yaml")
        assert kept.plan == located.plan
        assert kept.plan.digest == digest_of(located.content)
        assert text_of(kept.plan, "customers-beta") == "Tell B of beta."


def test_a_plan_without_a_list_is_kept_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(HEAD)
    located: LocatedPlan = load_located(path)
    assert located.content == HEAD.encode()


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("", "customers.csv:1:1: the list is empty → begin it with a line of columns: name,…"),
        ("\n\n", "customers.csv:1:1: the list is empty"),
        ("name\n", "plan.yaml:13:5: the list names no system → add a line for each"),
        ("Name,x\na,b", "customers.csv:1:1: 'Name' cannot be the name of a column → use lower"),
        ("name,a,a\nx,1,2", "customers.csv:1:1: two columns are named 'a' → give each a name"),
        ("nom,a\nx,1", "customers.csv:1:1: no column is named 'name' → add 'name'"),
        (LIST + "c,d\n", "customers.csv:4:1: this line has 2 values for 4 columns → write one"),
        (LIST + ",c.example.com,eu,C", "customers.csv:4:1: '' cannot be the name of a system"),
        (LIST + "a b,c.example.com,eu,C", "customers.csv:4:1: 'a b' cannot be the name of a sys"),
        (LIST + "\nacme,c.example.com,eu,C", "customers.csv:5:1: the system 'acme' is already on"),
        (LIST + "c,${settings.x},eu,C", "customers.csv:4:1: '${settings.x}' is a reference, and"),
        (LIST + "c,${x,eu,C", "customers.csv:4:1: '${x' is a reference, and none is followed"),
        (LIST + "c,c.example.com,,C", "customers.csv:4:1: the column 'region' is empty for 'c'"),
        (LIST + "c,c.example.com,eu,", "customers.csv:4:1: the column 'letter' is empty for 'c'"),
        (LIST + 'c,"c.example.com,eu,C', "customers.csv:4:1: the list cannot be read: unexpected"),
        (LIST.replace("public_name", "pubic_name"), "plan.yaml:14:5: the setting 'public_name' is"),
        (LIST.replace("letter", "latter"), "there is no column 'letter' → did you mean 'latter'?"),
        (LIST.encode("utf-16"), "customers.csv:1:1: the file is not UTF-8 text"),
        (LIST + "a\x00b,c,d,e", "customers.csv:4:2: the character '\\x00' is not text"),
        ("name\n" + "x" * 300_000, "customers.csv:1:1: the file is larger than 262144 bytes"),
    ],
)
def test_what_is_wrong_with_the_list_is_said_at_its_line(
    tmp_path: Path, table: str | bytes, problem: str
) -> None:
    found = problems_of(write(tmp_path, table=table))
    assert any(problem in line for line in found), found
    assert len(found) == 1 or "," not in str(table) or "latter" in str(table), found


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("customers.csv", "absent.csv", "the list 'absent.csv' cannot be read: No such file"),
        ("customers.csv", "../x.csv", "cannot be read: it is outside the folder of the plan"),
        ("customers.csv", "/etc/passwd", "cannot be read: it is outside the folder of the plan"),
        ("customers.csv", ".", "cannot be read: it is no file"),
        ("customers.csv", "[]", "'each_of' is a list, not text"),
        ("customers.csv", "''", "'each_of' is left empty"),
        ("customers.csv", '"customers\\x2ecsv"', "is not written where it belongs → write it beh"),
        ("manual/any@1", "manual/none@1", "plan.yaml:12:5: there is no profile 'manual/none@1'"),
        ("hub-${each.name}", "hub-${each.nam}", "plan.yaml:18:53: there is no column 'nam' → did"),
        ("Tell ${each.letter}", "Tell ${each.latter}", "there is no column 'latter' → did you"),
        ("Tell ${each.letter}", "Tell ${setting.x}", "plan.yaml:23:45: the reference '${setting"),
        ("  customers:\n", "  shop-a: 5\n  customers:\n", "'shop-a' is a number"),
    ],
)
def test_what_is_wrong_with_the_entry_is_said_once_and_there(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    found = problems_of(write(tmp_path, ENTRY.replace(old, new, 1)))
    assert len([line for line in found if problem in line]) == 1, found


def test_a_list_and_a_system_of_the_same_name_clash(tmp_path: Path) -> None:
    other = HEAD.partition("  shop:")[2]
    found = problems_of(write(tmp_path, ENTRY + "  customers-acme:" + other))
    what = "there is already a system named 'customers-acme' → give this line another name"
    assert found == (f"customers.csv:2:1: {what}",)


def test_a_column_means_nothing_without_a_list(tmp_path: Path) -> None:
    entry = ENTRY.replace("    each_of: customers.csv\n", "").replace(
        "{ backups", "{ public_name: x, backups"
    )
    found = problems_of(write(tmp_path, entry))
    assert any(
        "there is no column 'letter' → only a system with 'each_of' has columns" in line
        for line in found
    )


def test_a_plan_and_its_list_are_bounded_together(tmp_path: Path) -> None:
    rows = "".join(f"c{n},c{n}.example.com,eu,{'L' * 400}\n" for n in range(500))
    found = problems_of(write(tmp_path, ENTRY + "#" * 60_000, LIST + rows))
    assert any("the plan and its lists together are larger than 262144 bytes" in f for f in found)


def test_a_list_through_a_link_to_elsewhere_is_not_read(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "plans").mkdir()
    inner = tmp_path / "plans" / "plan.yaml"
    inner.write_text(path.read_text())
    (tmp_path / "plans" / "customers.csv").symlink_to(tmp_path / "customers.csv")
    assert "it is outside the folder of the plan" in problems_of(inner)[0]
    with pytest.raises(PlanRejected) as rejected:
        read_located(path.read_bytes(), "plan.yaml")
    assert "the plan is in no folder" in rejected.value.problems[0]
