"""What a plan has to say of each pair, and what its upgrade has to do: written by hand."""

from __future__ import annotations

from imagesmith.plan.reason import Verdict
from tests.pairs.pair import Ask, Pair

__all__ = ["ADVISED", "HOT", "REFUSED"]

STATE = "Map.keys(:sys.get_state(Till.Basket))"
DRAWERS = "Supervisor.which_children(Till.Drawers) |> Enum.map(&elem(&1, 0)) |> Enum.sort()"
NOTES = "Till.Drawer.look(Till.Notes)"
APPLICATIONS = "Application.started_applications() |> List.keymember?(:loyalty, 0)"
MANIFEST = r'"{\"latest\": {\"app.css\": \"app-1.css\"}}\n"'
NEITHER = "[Till.Coins, Till.Notes]"


def is_loaded(module: str) -> str:
    """Whether a module can be called."""
    return f"Code.ensure_loaded?({module})"


HOT = (
    Pair("nothing"),
    Pair("comment", bumps=("till",)),
    Pair("plain", bumps=("stock",), asks=(Ask("Till.total(100)", "119", "107"),)),
    Pair(
        "server",
        bumps=("till",),
        asks=(Ask("function_exported?(Till.Counter, :last, 0)", "false", "true"),),
    ),
    Pair(
        "module-added",
        bumps=("stock", "till"),
        asks=(Ask(is_loaded("Stock.Voucher"), "false", "true"),),
    ),
    Pair(
        "module-deleted",
        bumps=("stock",),
        asks=(Ask(is_loaded("Stock.Coupon"), "true", "false"),),
    ),
    Pair("mutual", bumps=("stock",), asks=(Ask("Till.final(100)", "90", "95"),)),
    Pair(
        "across-applications",
        bumps=("stock", "till"),
        asks=(Ask("Till.total(100)", "107", "108"),),
    ),
    Pair(
        "implementation",
        bumps=("stock",),
        asks=(
            Ask(
                "Till.describe(%{__struct__: Stock.Voucher, cents: 5})",
                '"a thing"',
                '"voucher of 5"',
            ),
        ),
    ),
    Pair(
        "struct-migrated",
        kinds=frozenset({"crosses-nodes"}),
        bumps=("till",),
        asks=(
            Ask(STATE, "[:__struct__, :items]", "[:__struct__, :customer, :items]"),
            Ask("Till.Basket.names()", '["tea"]', '["tea"]'),
        ),
    ),
    Pair(
        "record-migrated",
        bumps=("till",),
        asks=(Ask(":sys.get_state(Till.Journal)", "{:journal, 1}", "{:journal, 1, nil}"),),
    ),
    Pair(
        "map-migrated",
        bumps=("till",),
        asks=(
            Ask(
                "is_struct(:sys.get_state(Till.Clock)) and :sys.get_state(Till.Clock).ticks == 1",
                "false",
                "true",
            ),
            Ask(":sys.get_state(Till.Clock).ticks", "1", "1"),
        ),
    ),
    Pair(
        "statem-migrated",
        bumps=("till",),
        asks=(
            Ask(
                ":sys.get_state(Till.Gate)",
                "{:open, %{turns: 1}}",
                "{:open, %{jams: 0, turns: 1}}",
            ),
        ),
    ),
    Pair(
        "child-added",
        kinds=frozenset({"child-added"}),
        bumps=("till",),
        asks=(Ask(DRAWERS, NEITHER, "[Till.Cheques, Till.Coins, Till.Notes]"),),
    ),
    Pair(
        "child-changed",
        kinds=frozenset({"child-changed"}),
        bumps=("till",),
        asks=(Ask(NOTES, '{"oak", 4}', '{"oak", 6}'),),
    ),
    Pair(
        "child-removed",
        kinds=frozenset({"child-removed"}),
        bumps=("till",),
        asks=(
            Ask(DRAWERS, "[Till.Cheques, Till.Coins, Till.Notes]", "[Till.Cheques, Till.Notes]"),
        ),
    ),
    Pair(
        "application-child-added",
        kinds=frozenset({"child-added"}),
        bumps=("till",),
        asks=(Ask("is_pid(Process.whereis(Till.Bell))", "false", "true"),),
    ),
    Pair(
        "start-changed",
        kinds=frozenset({"start-changed"}),
        bumps=("till",),
        # Nobody starts it again.
        asks=(Ask(":persistent_term.get(:till, :shut)", ":shut", ":shut"),),
    ),
    Pair(
        "config-at-start",
        kinds=frozenset({"config-at-start"}),
        says=("drawer",),
        asks=(
            Ask("Application.fetch_env!(:till, :drawer)", '"oak"', '"pine"'),
            Ask(NOTES, '{"oak", 6}', '{"oak", 6}'),
        ),
    ),
    Pair("config-at-call", asks=(Ask("Till.queue()", "8", "9"),)),
    Pair(
        "priv",
        bumps=("stock",),
        asks=(
            Ask(
                'File.read!(Application.app_dir(:stock, "priv/notice.txt"))',
                r'"cheap things\n"',
                r'"cheaper things\n"',
            ),
        ),
    ),
    Pair(
        "environment",
        bumps=("stock",),
        asks=(Ask("Application.fetch_env!(:stock, :currency)", '"EUR"', '"CHF"'),),
    ),
    Pair(
        "crosses-nodes",
        kinds=frozenset({"crosses-nodes"}),
        bumps=("till",),
        asks=(Ask("elem(Till.Remote.sums(), 1)", "[]", "[]"),),
    ),
    Pair(
        "endpoint",
        kinds=frozenset({"phoenix-endpoint"}),
        bumps=("front",),
        asks=(Ask('Front.Endpoint.static_path("app.css") |> elem(1)', MANIFEST, MANIFEST),),
    ),
    Pair(
        "live-view",
        kinds=frozenset({"live-view"}),
        bumps=("front",),
        asks=(Ask("Front.BoardLive.render(%{})", '"<p>open</p>"', '"<p>shut</p>"'),),
    ),
    Pair(
        "application-added",
        kinds=frozenset({"application-added"}),
        asks=(Ask(APPLICATIONS, "false", "true"),),
    ),
    Pair(
        "application-removed",
        kinds=frozenset({"application-removed"}),
        asks=(Ask(APPLICATIONS, "true", "false"),),
    ),
    Pair(
        "application-child-removed",
        kinds=frozenset({"child-removed"}),
        bumps=("till",),
        asks=(Ask("is_pid(Process.whereis(Till.Bell))", "true", "false"),),
    ),
    Pair(
        "runtime-config",
        kinds=frozenset({"config-provider"}),
        says=("QUEUE",),
        asks=(Ask("Till.queue()", "9", "10"),),
    ),
    Pair(
        "vm-args",
        kinds=frozenset({"vm-args"}),
        says=("+P",),
        asks=(Ask(":erlang.system_info(:process_limit)", "262144", "262144"),),
    ),
    Pair(
        "held-migrated",
        # Till.Basket has some of them as well, and nothing is known of its state.
        kinds=frozenset({"struct-shape", "crosses-nodes"}),
        says=("Till.Basket made or matched it",),
        bumps=("stock", "till"),
        asks=(
            Ask(
                "Map.keys(:sys.get_state(Till.Shelf).first)",
                "[:__struct__, :name, :price]",
                "[:__struct__, :name, :price, :tags]",
            ),
        ),
    ),
)
"""Each leads on from the one before it."""

ADVISED = {
    "struct-in-state": "struct-migrated",
    "record-in-state": "record-migrated",
    "map-to-struct": "map-migrated",
    "statem-data": "statem-migrated",
    "struct-held": "held-migrated",
}
"""Of what is refused for a state: the hot pair that has done what its plan's example says."""

REPLACE, RESTART = Verdict.REPLACE, Verdict.RESTART

REFUSED = (
    Pair("erts", REPLACE, frozenset({"erts"}), says=("runtime system",), edits="erts"),
    Pair("kernel", REPLACE, frozenset({"foundation"}), says=("kernel changes",), edits="kernel"),
    Pair("elixir", REPLACE, frozenset({"foundation"}), says=("elixir changes",), edits="elixir"),
    Pair("sasl", REPLACE, frozenset({"sasl"}), says=("NEW has no sasl",), edits="sasl"),
    Pair("nif", REPLACE, frozenset({"native-code"}), ("stock",), says=("priv/stock.so",)),
    Pair(
        "unversioned",
        REPLACE,
        frozenset({"unversioned"}),
        says=("stock is 0.1.0 in both", "Stock.Price"),
        patch="plain",
    ),
    Pair(
        "unversioned-dependent",
        REPLACE,
        frozenset({"unversioned"}),
        ("stock",),
        says=("till is 0.1.0 in both", "Till.Shelf"),
        patch="struct-held",
    ),
    Pair(
        "struct-held",
        RESTART,
        frozenset({"struct-shape", "crosses-nodes"}),
        ("stock", "till"),
        says=("Stock.Item", "Till.Shelf"),
    ),
    Pair(
        "struct-in-state",
        RESTART,
        frozenset({"state-shape", "crosses-nodes"}),
        ("till",),
        says=("Till.Basket", "customer"),
    ),
    Pair(
        "record-in-state",
        RESTART,
        frozenset({"record-shape"}),
        ("till",),
        says=("Till.Journal",),
    ),
    Pair(
        "map-to-struct",
        RESTART,
        frozenset({"state-shape"}),
        ("till",),
        says=("Till.Clock",),
    ),
    Pair(
        "statem-data",
        RESTART,
        frozenset({"state-shape"}),
        ("till",),
        says=("Till.Gate",),
    ),
    Pair(
        "config-provider",
        RESTART,
        frozenset({"config-provider"}),
        says=("Stock.Provider",),
    ),
    Pair(
        "appup-leaves-out",
        RESTART,
        frozenset({"appup"}),
        ("stock",),
        says=("it leaves out Stock.Coupon",),
        patch="two-modules",
        appups="leaves-out",
    ),
    Pair(
        "appup-restarts",
        REPLACE,
        frozenset({"appup"}),
        ("stock",),
        says=("it restarts the runtime system",),
        patch="plain",
        appups="restarts",
    ),
    Pair(
        "module-moved",
        RESTART,
        frozenset({"module-moved", "application-added"}),
        ("stock",),
        says=("Stock.Coupon",),
    ),
    Pair(
        "children-computed",
        RESTART,
        frozenset({"child-changed"}),
        ("till",),
        says=("Till.Drawers",),
    ),
    Pair(
        "start-added",
        RESTART,
        frozenset({"start-changed"}),
        ("stock",),
        says=("stock",),
    ),
)
"""Each starts from the first release."""
