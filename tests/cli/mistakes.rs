//! What a mistake is answered with.

use insta::assert_snapshot;

use super::galen::{command, galen, said};

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("home");
    std::fs::create_dir(home.path().join("dags")).expect("dags");
    home
}

#[test]
fn a_misspelt_verb_names_the_nearest() {
    assert_snapshot!(galen(home().path(), &["docter"]), @"
        err: error: unrecognized subcommand `docter`
        err: hint: a similar subcommand exists: `doctor`
        err: Usage: galen [OPTIONS] <COMMAND>
        err: For more information, try `--help`.
        exit: 2
        ");
}

#[test]
fn no_verb_shows_the_help_on_stderr() {
    let said = galen(home().path(), &[]);
    assert_eq!(said.code, 2);
    assert_eq!(said.out, "");
    assert!(said.err.contains("Usage: galen"));
}

#[test]
fn help_and_version_are_data() {
    let home = home();
    assert_snapshot!(galen(home.path(), &["--version"]), @"
        out: galen 0.1.0
        exit: 0
        ");
    let help = galen(home.path(), &["--help"]);
    assert_eq!((help.code, help.err.as_str()), (0, ""));
}

#[test]
fn a_home_that_is_not_there_is_named() {
    assert_snapshot!(galen(home().path(), &["--home", "nowhere", "doctor"]), @"
        err: error: home `nowhere` is not a folder
        err: hint: `--home DIR` or `$GALEN_HOME` names the folder that holds `dags`
        exit: 2
        ");
}

#[test]
fn settings_are_checked_before_anything_runs() {
    let home = home();
    std::fs::write(home.path().join("galen.toml"), "[engine]\nparalelism = 4\n").expect("write");
    assert_snapshot!(galen(home.path(), &["doctor"]), @"
        err: error: galen.toml:2: unknown setting `engine.paralelism`
        err: hint: did you mean `parallelism`?
        exit: 2
        ");
}

#[test]
fn a_secret_setting_is_never_printed() {
    let home = home();
    let mut command = command(home.path(), &["doctor"]);
    command.env("GALEN_DATABASE_URL", "postgres://u:hunter2@127.0.0.1:1/d");
    let said = said(command);
    assert!(!said.to_string().contains("hunter2"), "{said}");
}
