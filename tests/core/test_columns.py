"""Columns by name: however a file spells, nests or types them; and the macros that read JSON, maps and months."""

from __future__ import annotations

import datetime as dt
import json
from decimal import ROUND_HALF_UP, Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ogf.errors import ErrorClass, SourceError
from ogf.files.columns import Wanted, find, raw_row, raw_value, require, typed, unreadable
from ogf.files.store import File
from ogf.files.table import Table, open_table
from ogf.files.worker import connect


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    connection = connect(scratch=tmp_path_factory.mktemp("db"), threads=1, memory_mb=256, lookups={})
    yield connection
    connection.close()


def one(connection, expression: str, *values):
    (found,) = connection.execute(f"SELECT {expression}", values).fetchone()
    return found


def described(connection, select: str) -> Table:
    """A table as the core opens one, over any SELECT."""
    names, types = zip(*(row[:2] for row in connection.execute(f"DESCRIBE {select}").fetchall()), strict=True)
    return Table("memory:t", names, tuple(f'"{name}"' for name in names), types, f"({select})")


def read(connection, table: Table, *columns: Wanted) -> tuple:
    found = find(table, columns)
    (row,) = connection.execute(f"SELECT {', '.join(typed(columns, found))} FROM {table.source}").fetchall()
    return row


def want(column: str, kind: str = "text", *spellings: str, required: bool = False) -> Wanted:
    return Wanted(column, kind, required, spellings)


class TestNames:
    @pytest.mark.parametrize("written", ["project_id", "PROJECT_ID", "Project_Id"])
    def test_are_matched_without_case(self, connection, written):
        table = described(connection, f"SELECT 'p' AS \"{written}\"")
        assert read(connection, table, want("project_id")) == ("p",)

    def test_a_spelling_is_a_column_with_a_dot_in_its_name(self, connection):
        table = described(connection, "SELECT 'p' AS \"Project.ID\"")
        assert read(connection, table, want("project_id", "text", "project.id")) == ("p",)

    @pytest.mark.parametrize(
        ("select", "found"),
        [
            ("{'id': 'p', 'label': {'key': 7}} AS project", ("p", "7")),
            ("{'ID': 'p', 'Label': {'KEY': 7}} AS Project", ("p", "7")),
            ("""'{"id": "p", "label": {"key": 7}}'::JSON AS project""", ("p", "7")),
            ("""'{"id": null}'::JSON AS project""", (None, None)),
            ("NULL::STRUCT(id VARCHAR, label STRUCT(key INTEGER)) AS project", (None, None)),
            ("'null'::JSON AS project", (None, None)),
        ],
    )
    def test_a_path_leads_into_structs_and_json(self, connection, select, found):
        columns = (want("project_id", "text", "project.id"), want("key", "text", "project.label.key"))
        assert read(connection, described(connection, f"SELECT {select}"), *columns) == found

    def test_the_first_that_has_a_value_counts(self, connection):
        table = described(connection, "SELECT NULL::VARCHAR AS a, '' AS b, 'third' AS c")
        assert read(connection, table, want("a", "text", "b", "c")) == ("third",)

    @pytest.mark.parametrize(
        "kind", ["text", "timestamp", "month", "double", "decimal", "map", "structs name amount"]
    )
    def test_what_the_file_lacks_is_null(self, connection, kind):
        assert read(connection, described(connection, "SELECT 1 AS x"), want("absent", kind)) == (None,)

    def test_missing_ones_are_all_named_with_their_spelling(self, connection):
        table = described(connection, "SELECT 1 AS x")
        columns = (want("x", required=True), want("project_id", "text", "project.id", required=True),
                   want("cost", required=True), want("other"))  # fmt: skip
        with pytest.raises(SourceError) as caught:
            require(table, columns, find(table, columns), hint="look")
        assert caught.value.error_class is ErrorClass.BAD_REQUEST
        assert (caught.value.where, caught.value.hint) == ("memory:t", "look")
        assert "project_id (project.id), cost" in caught.value.message
        assert "other" not in caught.value.message

    def test_names_that_need_quotes(self, connection):
        table = Table("t", ('we"ird',), ('"we""ird"',), ("VARCHAR",), '(SELECT \'v\' AS "we""ird")')
        assert read(connection, table, Wanted("x", "text", False, ('we"ird',))) == ("v",)


START = dt.datetime(2026, 1, 5, 10, tzinfo=dt.UTC)


class TestKinds:
    @pytest.mark.parametrize(
        ("written", "kind", "found"),
        [
            ("''", "text", None),
            ("7", "text", "7"),
            ("'7'::JSON", "text", "7"),
            ("'\"x\"'::JSON", "text", "x"),
            ("'\"\"'::JSON", "text", None),
            ("'null'::JSON", "text", None),
            ("'2026-01-05T10:00:00Z'", "timestamp", START),
            ("'2026-01-05 10:00:00 UTC'", "timestamp", START),
            ("'2026-01-05 12:00:00+02:00'", "timestamp", START),
            ("'2026-01-05 10:00:00'", "timestamp", START),
            ("TIMESTAMP '2026-01-05 10:00:00'", "timestamp", START),
            ("TIMESTAMPTZ '2026-01-05 10:00:00+00'", "timestamp", START),
            ("DATE '2026-01-05'", "timestamp", START.replace(hour=0)),
            ("'\"2026-01-05T10:00:00Z\"'::JSON", "timestamp", START),
            ("'soon'", "timestamp", None),
            ("DATE '2026-01-01'", "month", dt.date(2026, 1, 1)),
            ("202601", "month", dt.date(2026, 1, 1)),
            ("'202601'::JSON", "month", dt.date(2026, 1, 1)),
            ("'2.5'", "double", 2.5),
            ("'2.5'::JSON", "double", 2.5),
            ("'\"2.5\"'::JSON", "double", 2.5),
            ("2.5::DECIMAL(38,9)", "double", 2.5),
            ("'lots'", "double", None),
            ("'0.123456789012345678'", "decimal", Decimal("0.123456789012345678")),
            ("'\"0.123456789012345678\"'::JSON", "decimal", Decimal("0.123456789012345678")),
            ("0.1::DOUBLE", "decimal", Decimal("0.1")),
            ("0.123456789::DECIMAL(38,9)", "decimal", Decimal("0.123456789")),
            ("'5e-06'", "decimal", Decimal("0.000005")),
            ("'lots'", "decimal", None),
        ],
    )
    def test_of_scalars(self, connection, written, kind, found):
        table = described(connection, f"SELECT {written} AS x")
        assert read(connection, table, want("x", kind)) == (found,)

    @pytest.mark.parametrize(
        "written",
        [
            "MAP {'a': '1', 'b': '2'}",
            "MAP {'a': 1, 'b': 2}",
            """'{"b": "2", "a": "1"}'""",
            """'{"b": 2, "a": 1}'::JSON""",
            """'[{"key": "b", "value": "2"}, {"key": "a", "value": "1"}]'""",
            """'[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": 1}]'::JSON""",
            """'[{''key'': ''b'', ''value'': ''2''}, {''key'': ''a'', ''value'': ''1''}]'""",
            "[{'Key': 'b', 'Value': '2', 'x_Inherited': true}, {'Key': 'a', 'Value': '1', 'x_Inherited': false}]",
            "[{'key': 'b', 'value': 2}, {'key': 'a', 'value': 1}]",
        ],
    )
    def test_of_maps_in_every_dialect(self, connection, written):
        table = described(connection, f"SELECT {written} AS tags")
        assert read(connection, table, want("tags", "map"))[0] == {"a": "1", "b": "2"}

    @pytest.mark.parametrize(
        "written",
        [
            "[{'Name': 'n', 'amount': -0.5::DOUBLE, 'more': 1}]",
            """'[{"name": "n", "amount": -0.5, "more": 1}]'::JSON""",
            """'[{''name'': ''n'', ''amount'': -0.5, ''more'': None}]'""",
        ],
    )
    def test_of_lists_of_structs(self, connection, written):
        table = described(connection, f"SELECT {written} AS credits")
        found = read(connection, table, want("credits", "structs name type amount"))
        assert found == ([{"name": "n", "type": None, "amount": "-0.5"}],)

    def test_an_unknown_kind_is_a_mistake_of_the_table(self, connection):
        table = described(connection, "SELECT 1 AS x")
        with pytest.raises(ValueError, match="furlongs"):
            typed((want("x", "furlongs"),), find(table, (want("x"),)))


class TestRaw:
    @pytest.mark.parametrize(
        ("written", "found"),
        [
            ("''", None),
            ("'x'", "x"),
            ("'\"\"'::JSON", None),
            ("'null'::JSON", None),
            ("'7'::JSON", "7"),
            ("7", 7),
        ],
    )
    def test_tells_missing_from_unreadable(self, connection, written, found):
        table = described(connection, f"SELECT {written} AS x")
        assert one(connection, f"{raw_value(find(table, (want('x'),)), 'x')} FROM {table.source}") == found

    def test_row_holds_what_is_wanted_and_there(self, connection):
        table = described(connection, "SELECT 'a' AS X, 'b' AS other")
        columns = (want("x"), want("absent"))
        assert one(connection, f"{raw_row(columns, find(table, columns))} FROM {table.source}") == {"x": "a"}

    @pytest.mark.parametrize(
        ("written", "bad"),
        [("'{}'", False), ("'[]'", False), ("''", False), ("NULL::VARCHAR", False), ("'{\"a\"'", True), ("'7'", True),
         ("'x'", True), ("'null'::JSON", False), ("'7'::JSON", True), ("MAP {}", False)],
    )  # fmt: skip
    def test_a_map_that_is_no_such_thing_is_told(self, connection, written, bad):
        table = described(connection, f"SELECT {written} AS tags")
        columns = (want("tags", "map"),)
        assert (
            bool(one(connection, f"{unreadable(columns, find(table, columns))} FROM {table.source}")) is bad
        )


class TestJson:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ('{"a": 1}', {"a": 1}),
            ("{'a': 'b'}", {"a": "b"}),
            ("[{'a': None, 'b': True, 'c': False}]", [{"a": None, "b": True, "c": False}]),
            ("[None, None]", [None, None]),
            ("[{'name': 'None of these', 'x': -5e-06}]", [{"name": "None of these", "x": -5e-06}]),
            ("[]", []),
            ('{"a": "it\'s"}', {"a": "it's"}),
        ],
    )
    def test_is_read_also_as_python_writes_it(self, connection, text, found):
        assert json.loads(one(connection, "CAST(ogf_json(?) AS VARCHAR)", text)) == found

    @pytest.mark.parametrize("text", ["", "{", "{'a'", "word", None])
    def test_what_is_none_is_null(self, connection, text):
        assert one(connection, "CAST(ogf_json(?) AS VARCHAR)", text) is None

    @settings(max_examples=150, deadline=None)
    @given(
        st.dictionaries(
            st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=8),
            st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8),
            max_size=5,
        )
    )
    def test_an_object_of_texts_is_the_same_map(self, connection, tags):
        found = one(connection, "ogf_map_of_json(?)", json.dumps(tags, ensure_ascii=False))
        assert (found or {}) == tags

    @settings(max_examples=150, deadline=None)
    @given(
        st.dictionaries(
            st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8),
            st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8),
            min_size=1,
            max_size=5,
        ),
        st.sampled_from([("key", "value"), ("Key", "Value")]),
    )
    def test_a_list_of_pairs_is_the_same_map(self, connection, tags, names):
        pairs = [dict(zip(names, pair, strict=True)) for pair in tags.items()]
        assert one(connection, "ogf_map_of_json(?)", json.dumps(pairs)) == tags

    @pytest.mark.parametrize("text", ["7", '"x"', "null", "", None, "{"])
    def test_what_is_neither_object_nor_list_is_no_map(self, connection, text):
        assert one(connection, "ogf_map_of_json(?)", text) is None

    @pytest.mark.parametrize("text", ["[]", "{}"])
    def test_an_empty_one_is_nothing(self, connection, text):
        assert not one(connection, "ogf_map_of_json(?)", text)


class TestPairs:
    def test_of_a_key_that_comes_twice_the_first_value_in_order_counts(self, connection):
        pairs = "[{'k': 'b', 'v': '2'}, {'k': 'a', 'v': 'y'}, {'k': 'a', 'v': 'x'}]"
        found = one(connection, f"ogf_map_of_pairs({pairs})")
        assert list(found.items()) == [("a", "x"), ("b", "2")]

    def test_null_keys_and_values_are_left_out(self, connection):
        pairs = "[{'k': NULL, 'v': '2'}, {'k': 'a', 'v': NULL}, {'k': 'b', 'v': ''}]"
        assert one(connection, f"ogf_map_of_pairs({pairs})") == {"b": ""}

    @pytest.mark.parametrize("pairs", ["[]", "NULL", "[{'k': NULL, 'v': NULL}]"])
    def test_none_are_null(self, connection, pairs):
        typed_pairs = f"CAST({pairs} AS STRUCT(k VARCHAR, v VARCHAR)[])"
        assert one(connection, f"ogf_map_of_pairs({typed_pairs})") is None

    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), min_size=1, max_size=8),
        st.randoms(),
    )
    def test_order_does_not_matter(self, connection, pairs, random):
        shuffled = pairs.copy()
        random.shuffle(shuffled)
        expected = {key: min(value for other, value in pairs if other == key) for key in sorted(dict(pairs))}
        for several in (pairs, shuffled):
            rows = [{"k": key, "v": value} for key, value in several]
            found = one(connection, "ogf_map_of_pairs(CAST(? AS STRUCT(k VARCHAR, v VARCHAR)[]))", rows)
            assert list(found.items()) == list(expected.items())


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("2024-01-01", dt.date(2024, 1, 1)), ("2024-01-31", dt.date(2024, 1, 1)), ("2024-12", dt.date(2024, 12, 1)),
        ("202412", dt.date(2024, 12, 1)), ("2024-02-29 10:00:00", dt.date(2024, 2, 1)), ("202413", None),
        ("2024-13", None), ("24-01", None), ("soon", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_months(connection, text, month):
    assert one(connection, "ogf_month(?)", text) == month


def read_costs(connection, folder, texts) -> list[Decimal]:
    """Costs that lie inside a record of a file of JSON lines."""
    path = folder / "a.jsonl"
    path.write_text("".join(f'{{"n": {n}, "usage": {{"cost": {text}}}}}\n' for n, text in enumerate(texts)))
    table = open_table(File(path, path.as_uri(), "etag", owned=False), connection=connection, scratch=folder)
    columns = (want("n", "double"), want("cost", "decimal", "usage.cost"))
    select = f"SELECT {', '.join(typed(columns, find(table, columns)))} FROM {table.source} ORDER BY n"
    found = [cost for _, cost in connection.execute(select).fetchall()]
    table.close()
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(st.decimals(-(10**12), 10**12, places=18), min_size=1, max_size=5))
def test_a_number_that_json_holds_as_text_is_exact_to_the_18th_decimal(connection, tmp_path_factory, numbers):
    """NUMERIC, as BigQuery writes it."""
    texts = [f'"{number:f}"' for number in numbers]
    assert read_costs(connection, tmp_path_factory.mktemp("json"), texts) == numbers


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(st.floats(-1e6, 1e6), st.decimals(-2000, 2000, places=14).map(float)),
        min_size=1,
        max_size=5,
    )
)
def test_a_bare_number_of_json_is_the_decimal_that_is_written(connection, tmp_path_factory, numbers):
    """FLOAT64, as BigQuery writes it: the shortest text that reads back as the same double."""
    with localcontext() as context:
        context.prec = 60
        exact = [Decimal(repr(x)).quantize(Decimal("1e-18"), ROUND_HALF_UP) for x in numbers]
    texts = [repr(x) if abs(x) >= 1e-17 else "0" for x in numbers]
    expected = [x if text != "0" else Decimal(0) for x, text in zip(exact, texts, strict=True)]
    assert read_costs(connection, tmp_path_factory.mktemp("json"), texts) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-01T00:00Z",
        "2024-05-01 00:00Z",
        "2024-05-01T00:00:00Z",
        "2024-05-01T02:00+02:00",
        "2024-05-01",
    ],
)
def test_a_time_without_seconds_is_a_time(connection, text):
    found = connection.execute(
        "SELECT ogf_timestamp(?) = TIMESTAMPTZ '2024-05-01 00:00:00+00'", [text]
    ).fetchone()
    assert found == (True,)
