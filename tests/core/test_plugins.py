"""Finding and loading plugins: each way to be broken is one clear error, and the others still work."""

from __future__ import annotations

import sys
import textwrap

import pytest

from ogf import plugins
from ogf.errors import ErrorClass, ExitCode, PluginError, SourceError
from ogf.hookspecs import Page, Partition, Provider, Stream, hookimpl
from ogf.testing.provider import FakeCloud
from ogf.window import Window

GOOD = """
    from ogf.config import ProviderSettings
    from ogf.hookspecs import Page, Provider, Stream, hookimpl

    @hookimpl
    def provider():
        return Provider(name="{name}", settings=ProviderSettings, streams=(Stream("carbon"),))

    @hookimpl
    def partitions(ctx, stream, window):
        return []

    @hookimpl
    def fetch(request):
        return Page(None)

    @hookimpl
    def to_activities(page):
        return page.data
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution that brings one provider: `install("acme", source)`."""
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = set(sys.modules)

    def installed(name, source=GOOD, *, dist=None, module=None):
        dist, module = dist or f"ogf-{name}", module or f"ogf_fake_{name}"
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source).replace("{name}", name))
        info = tmp_path / f"{dist.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[ogf.providers]\n{name} = {module}\n")

    yield installed
    for module in set(sys.modules) - modules:
        del sys.modules[module]


def refused(name):
    with pytest.raises(PluginError) as caught:
        plugins.load(name)
    assert caught.value.exit_code == ExitCode.USAGE
    assert caught.value.hint
    return str(caught.value)


def test_a_plugin_is_found_by_name_and_loaded(install):
    install("acme")
    plugin = plugins.load("acme")
    assert (plugin.provider.name, plugin.version, plugin.where) == ("acme", "1.2", "ogf-acme 1.2")
    assert set(plugin.hooks()) == {"provider", "partitions", "fetch", "to_activities"}


def test_names_are_listed_without_importing_anything(install):
    install("acme", "raise SystemExit('imported')")
    (found,) = plugins.installed()["acme"]
    assert (found.distribution, found.version, found.target) == ("ogf-acme", "1.2", "ogf_fake_acme")


def test_a_missing_plugin_is_named_with_what_there_is(install):
    install("acme")
    text = refused("acmee")
    assert "no provider 'acmee'" in text
    assert "acme" in text.split("installed:")[1]
    assert "pip install ogf-acmee" in text


def test_two_distributions_with_one_name_are_both_named(install):
    install("acme")
    install("acme", dist="acme-cloud", module="other_acme")
    assert "acme-cloud 1.2 and ogf-acme 1.2" in refused("acme")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import not_there_at_all", "cannot be imported: No module named 'not_there_at_all'"),
        ("1 / 0", "fails while it is imported: ZeroDivisionError"),
        ("def broken(:", "SyntaxError"),
        ("", "lacks the hooks provider, partitions, fetch, to_activities"),
        (GOOD.replace("def fetch(", "def fetsch("), "fetsch"),
        (GOOD.replace("def fetch(request)", "def fetch(reqest)"), "reqest"),
        (GOOD.replace('name="{name}"', 'name="other"'), "calls itself 'other'"),
        (GOOD.replace("return Provider(", "return dict("), "returned dict"),
        (GOOD.replace("return Provider(", "1 / 0; return dict("), "`provider()` fails: ZeroDivisionError"),
        (GOOD + "\n    @hookimpl\n    def to_do():\n        pass\n", "to_do"),
    ],
)
def test_a_broken_plugin_is_one_clear_error_and_another_still_works(install, source, says):
    install("broken", source)
    install("acme")
    text = refused("broken")
    assert says in text
    assert "ogf-broken 1.2" in text
    assert plugins.load("acme").provider.name == "acme"
    assert {"acme", "broken"} <= set(plugins.installed())


def test_an_entry_point_to_nothing_is_named(install, tmp_path):
    install("acme")
    (tmp_path / "ogf_acme-1.2.dist-info" / "entry_points.txt").write_text(
        "[ogf.providers]\nacme = ogf_fake_acme:missing\n"
    )
    assert "missing" in refused("acme")


@pytest.mark.parametrize("stream", ["carbon", "other"])
def test_a_partition_listed_twice_or_under_another_stream_is_a_bug_of_the_plugin(stream):
    class Doubling(FakeCloud):
        @hookimpl
        def partitions(self):
            listed = Partition(stream=stream, key="same", version=None, requests=())
            return [listed] * (2 if stream == "carbon" else 1)

    with pytest.raises(SourceError) as caught:
        Doubling().plugin().partitions(None, "carbon", Window())
    assert caught.value.error_class is ErrorClass.FATAL


def test_the_core_answers_the_optional_hooks():
    class Least:
        @hookimpl
        def provider(self):
            return Provider(name="least", settings=FakeCloud.settings, streams=(Stream("carbon"),))

        @hookimpl
        def partitions(self):
            return iter([Partition(stream="carbon", key="a", version=None, requests=())])

        @hookimpl
        def fetch(self):
            return Page(None)

        @hookimpl
        def to_activities(self):
            return None

    plugin = plugins.bind(Least(), name="least")
    (partition,) = plugin.partitions(None, "carbon", Window())
    assert plugin.paginate(None, None, None) is None
    assert plugin.classify_error(None, KeyError()) is None
    assert plugin.confirm(None, partition) is True
    assert list(plugin.check(None, "carbon")) == []
