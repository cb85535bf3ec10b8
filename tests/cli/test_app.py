"""The command as a whole: its version and help, and what becomes of errors, warnings and interruptions."""

import json
import shlex
import subprocess
import sys
import warnings

import pytest
import typer
from astropy.table import Table
from astroquery.exceptions import RemoteServiceError
from typer.testing import CliRunner

from galzoo_repr import GalzooWarning, __version__
from galzoo_repr.cli import app
from galzoo_repr.cli._app import VERBS, _every_verb, _in_words_of_the_shell, _Verbs
from galzoo_repr.cli._terminal import print_json


@pytest.fixture
def run_raising():
    """A command of the same make, one verb of which does what the test says."""

    def run(action, *options):
        small = typer.Typer(cls=_Verbs, pretty_exceptions_enable=False)
        small.callback()(_every_verb)

        @small.command()
        def act() -> None:
            action()

        @small.command()
        def other() -> None:
            pytest.fail("the wrong verb was run")

        return CliRunner().invoke(small, [*options, "act"])

    return run


def raising(error):
    def act():
        raise error

    return act


def test_version_is_that_of_the_package():
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.stdout.strip() == f"galzoo-repr {__version__}"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb):
    assert verb in CliRunner().invoke(app, ["--help"]).stdout
    result = CliRunner().invoke(app, [verb, "--help"])
    assert result.exit_code == 0
    for words in ("Usage", f"Example: galzoo-repr {verb}", "Exit codes: 0 done"):
        assert words in result.stdout
    command = typer.main.get_command(app).commands[verb]
    example = shlex.split(command.epilog.splitlines()[0])[3:]
    with command.make_context(verb, example, resilient_parsing=True) as context:
        assert not context.args


PRINT_NO_RESULT = {"look", "serve-survey", "cite"}


@pytest.mark.parametrize("verb", sorted({*VERBS, "parts"} - PRINT_NO_RESULT))
def test_results_are_printed_as_json_too(verb):
    options = {option for one in typer.main.get_command(app).commands[verb].params for option in one.opts}
    assert "--json" in options


def test_what_json_does_not_have_is_null(capsys):
    print_json({"values": [1.0, float("nan"), float("inf")], "of": ("a", None)})
    assert json.loads(capsys.readouterr().out) == {"values": [1.0, None, None], "of": ["a", None]}


def test_the_help_lists_verbs_as_they_are_needed():
    text = CliRunner().invoke(app, ["--help"]).stdout
    listed = [line.split()[1] for line in text.splitlines() if line[:1] == "│" and line.split()[1] in VERBS]
    assert listed == list(VERBS)


def test_no_verb_shows_the_help():
    assert "Usage" in CliRunner().invoke(app, []).output


@pytest.mark.parametrize("arguments", [["no-such-verb"], ["embed"], ["demo", "--seed", "-1"]])
def test_wrong_usage_has_exit_code_two(arguments):
    assert CliRunner().invoke(app, arguments).exit_code == 2


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("no column 'x';\n  there are: a, b"), "error: no column 'x'; there are: a, b"),
        (TypeError("fov must be an angle"), "error: fov must be an angle"),
        (FileNotFoundError(2, "No such file", "x.fits"), "No such file: 'x.fits'"),
        (RemoteServiceError("the service is not there [at all]"), "error: the service is not there [at all]"),
        (ValueError(), "error: ValueError"),
    ],
)
def test_errors_of_users_and_services_are_one_line(run_raising, error, message):
    result = run_raising(raising(error))
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_arguments_are_named_as_options():
    small = typer.Typer(cls=_Verbs, pretty_exceptions_enable=False)
    small.callback()(_every_verb)

    @small.command()
    def act(overwrite: bool = False, max_separation: str = "", keep: str = "") -> None:
        raise ValueError("pass overwrite=True to replace, give max_separation=, or name=; keep='png'")

    result = CliRunner().invoke(small, ["act"])
    said = "pass --overwrite to replace, give --max-separation, or name=; --keep png"
    assert result.stderr == f"error: {said}\n"


@pytest.mark.parametrize(
    ("error", "options"),
    [(ZeroDivisionError("ours"), ()), (KeyError("ours"), ()), (ValueError("x"), ("--debug",))],
)
def test_faults_of_ours_and_debugging_keep_the_traceback(run_raising, error, options):
    assert run_raising(raising(error), *options).exception is error


def test_errors_that_name_an_extra_to_install_are_one_line(run_raising):
    result = run_raising(raising(ImportError('drawing needs matplotlib: pip install "galzoo_repr[plot]"')))
    assert result.exit_code == 1
    assert result.stderr == 'error: drawing needs matplotlib: pip install "galzoo_repr[plot]"\n'
    assert isinstance(run_raising(raising(ImportError("cannot import name 'x'"))).exception, ImportError)


def test_interruption_says_what_is_kept_and_has_its_own_exit_code(run_raising):
    interrupt = KeyboardInterrupt()
    assert "nothing is kept" in run_raising(raising(interrupt)).stderr
    interrupt.add_note("3 cutouts are kept in there")
    result = run_raising(raising(interrupt))
    assert result.exit_code == 130
    assert result.stderr == "interrupted: 3 cutouts are kept in there; the same command goes on from there\n"


def test_warnings_are_one_line(run_raising):
    def act():
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("the format cannot hold this", GalzooWarning, stacklevel=1)

    result = run_raising(act)
    assert result.exit_code == 0
    assert result.stderr == "warning: the format cannot hold this\n"


@pytest.mark.parametrize("arguments", [["--help"], ["similar", "--help"], ["embed", "gone.fits", "out.fits"]])
def test_the_first_word_waits_for_nothing_heavy(arguments):
    code = f"""
import sys
from galzoo_repr.cli import app
try:
    app({arguments!r})
except SystemExit:
    print(sorted({{"torch", "timm", "sklearn", "astropy.table", "astropy.units", "PIL"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("[]")


WRONG = {
    ("fetch", "in.ecsv", "out.ecsv", "--coords", "where"): "where",
    ("embed", "in.ecsv", "out.ecsv", "--images", "pictures"): "pictures",
    ("embed", "in.ecsv", "out.ecsv", "--coords", "where", "--encoder", "resnet18"): "where",
    ("embed", "in.ecsv", "out.ecsv", "--encoder", "no_such_network"): "no_such_network",
    ("embed", "in.ecsv", "out.ecsv", "--fov", "3"): "unit",
    ("similar", "in.ecsv", "--row", "1"): "embedding",
    ("anomalies", "in.ecsv", "search"): "embedding",
    ("finetune", "in.ecsv", "model", "--label", "ring"): "ring",
    ("predict", "in.ecsv", "no_model", "out.ecsv"): "no_model",
    ("pretrain", "in.ecsv", "encoder", "--schema", "gz_rings"): "ring",
    ("pretrain", "in.ecsv", "encoder", "--start", "no_such_network"): "no_such_network",
    ("serve-survey", "--replay", "no_folder"): "no_folder",
}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Exit code, standard error and heavy imports of each mistake, all of them made in one fresh interpreter."""
    folder = tmp_path_factory.mktemp("mistakes")
    Table({"ra": [10.0], "dec": [1.0]}).write(folder / "in.ecsv")
    code = f"""
import json, sys
from typer.testing import CliRunner
from galzoo_repr.cli import app
heavy = {{"torch", "timm", "sklearn", "onnxruntime", "pynndescent"}}
told = []
for arguments in {list(map(list, WRONG))!r}:
    before = set(sys.modules)
    result = CliRunner().invoke(app, arguments)
    told.append((result.exit_code, result.stderr, sorted(heavy & (set(sys.modules) - before))))
print(json.dumps(told))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, check=True
    )
    return dict(zip(WRONG, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_mistakes_are_told_before_anything_heavy_is_imported(told, arguments):
    code, said, loaded = told[arguments]
    assert (code, loaded) == (1, [])
    assert WRONG[arguments] in said


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "galzoo_repr", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("galzoo-repr ")


def test_completion_is_installed_by_an_option():
    assert "--install-completion" in CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output


def test_a_warning_is_one_line_in_the_words_of_the_command_in_a_fresh_process(tmp_path):
    Table({"picture": ["gone.png"]}).write(tmp_path / "galaxies.csv")
    command = [
        sys.executable,
        "-m",
        "galzoo_repr",
        "embed",
        "galaxies.csv",
        "out.ecsv",
        "--images",
        "picture",
        "-q",
    ]
    stderr = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stderr
    assert stderr.startswith("warning: 1 of 1 rows have no embedding"), stderr
    assert f"no file 'gone.png' below the current folder, {tmp_path}\n" in stderr


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("give fov='30 arcsec', say", "give --fov '30 arcsec', say"),
        (
            "or rename the column that has them",
            "or name the column that has them by --radius-column, or rename the column that has them",
        ),
        ("name them: coords=(ra_name, dec_name).", "name them: --coords ra_name,dec_name."),
        ("such as coords=('ra_1', 'dec_1')", "such as --coords ra_1,dec_1"),
        ("with coords=('RA (deg)', 'Dec (deg)'), or", "with --coords 'RA (deg),Dec (deg)', or"),
    ],
)
def test_arguments_with_blanks_and_pairs_are_options(message, words):
    assert _in_words_of_the_shell(message, typer.main.get_command(app).commands["embed"]) == words
