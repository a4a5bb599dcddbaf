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
        err: hint: some similar subcommands exist: `docs`, `doctor`
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

#[test]
fn the_help_lists_every_verb() {
    assert_snapshot!(galen(home().path(), &["--help"]).out, @"
        From a hospital's raw data to audited tables, on a schedule

        Usage: galen [OPTIONS] <COMMAND>

        Commands:
          demo        Run every sample DAG on the sample data, until nothing is left
          run         Run a DAG once, here and now, with progress
          backfill    Run a DAG for every data interval of a span of days
          retry       Run failed tasks again, with all that they held back
          scheduler   Run what is due, until told to stop
          dags        List, check, show, pause and trigger DAGs
          runs        Look at runs, or cancel one
          tasks       Look at the tasks of a run, read their logs, or make them run again
          tables      List the tables of a DAG with their rows and keys
          export      Write a table as CSV, in key order
          query       Ask a DAG's tables: one SELECT over all layers and `op`
          tests       Show how the tests of a DAG's models ended
          quality     Show how the rules of a DAG's rule tables ended, and a grade for each mart
          lineage     Show the columns that a column of a table is made of, back to operational tables and deliveries
          docs        Write a catalogue of a DAG's models as one HTML page: columns, tests, where everything comes from
          trace       Show where a row came from: file, line, hashes, run, batch, rules, and every change since
          profile     Tell what is in a file: rows, encoding, delimiter, and for each column its kind, nulls, distinct and frequent values
          quarantine  See the records that were set aside, or let them go through again
          audit       See what happened, verify that the record of it is whole, or take it elsewhere
          generate    Make up synthetic rows from a declaration and write them as CSV
          doctor      Check the installation and say how to fix what is wrong
          db          Prepare the database for this version of Galen, or see whether it is
          schema      Print the JSON Schema of a definition file

        Options:
              --home <DIR>  Folder that holds `dags`, `data_sample` and `state` [default: $GALEN_HOME, else here]
          -h, --help        Print help
          -V, --version     Print version
        ");
}

#[test]
fn the_help_of_a_verb_teaches() {
    assert_snapshot!(galen(home().path(), &["run", "--help"]).out, @"
        Run a DAG once, here and now, with progress

        Ends with a table of its tasks: time and what became of the records. Exit code 1 when the run failed.

        Usage: galen run [OPTIONS] <DAG>

        Arguments:
          <DAG>
                  The DAG

        Options:
              --date <DATE>
                  Data interval that starts on this day, in the DAG's time zone

              --home <DIR>
                  Folder that holds `dags`, `data_sample` and `state` [default: $GALEN_HOME, else here]

              --from <TIME>
                  Start of the data interval

              --to <TIME>
                  End of the data interval, itself not in it

              --param <NAME=VALUE>
                  A parameter of the DAG, as `name=value`; may be repeated

              --full-refresh
                  Compute incremental models anew from their first row on; short for `--param full_refresh=true`

              --task <SELECT>
                  Only these tasks: `load`, `+load` with what it needs, `load+` with what needs it; a `models` or `pipeline` task is all tasks in its place

              --json
                  Print the table as JSON

          -h, --help
                  Print help (see a summary with '-h')

        Examples:
          galen run clinic                          the last complete data interval
          galen run clinic --date 2026-01-31        the interval that starts on that day
          galen run clinic --param max_rows=0       with another value of a parameter
          galen run clinic --task +load             `load` and all that it needs
        ");
}

#[test]
fn a_wrong_date_says_what_was_expected() {
    assert_snapshot!(galen(home().path(), &["run", "sales", "--date", "2026-02-30"]), @"
        err: error: invalid value `2026-02-30` for `--date <DATE>`: expected a date as `2026-01-31`, or a time as `2026-01-31T14:00Z`
        err: For more information, try `--help`.
        exit: 2
        ");
    assert_snapshot!(galen(home().path(), &["backfill", "sales", "--from", "yesterday", "--to", "2026-01-01"]), @"
        err: error: invalid value `yesterday` for `--from <DATE>`: expected a date as `2026-01-31`
        err: For more information, try `--help`.
        exit: 2
        ");
}

#[test]
fn a_backfill_that_ends_before_it_begins_names_both_days() {
    assert_snapshot!(galen(home().path(), &["backfill", "sales", "--from", "2026-01-07", "--to", "2026-01-05"]), @"
        err: error: `--from 2026-01-07` is after `--to 2026-01-05`
        err: hint: give the first day as `--from` and the last, itself in it, as `--to`
        exit: 2
        ");
}

#[test]
fn a_dag_or_run_that_is_not_there_is_named() {
    let home = home();
    let folder = home.path().join("dags/sales");
    std::fs::create_dir(&folder).expect("folder");
    let dag = "dag_id: sales\nparams: {days: {type: integer, default: 1}}\ntasks: [{task_id: a, operator: noop}]\n";
    std::fs::write(folder.join("dag.yaml"), dag).expect("dag");
    assert_snapshot!(galen(home.path(), &["run", "sale"]), @"
        err: error: no DAG `sale` in `./dags`
        err: hint: did you mean `sales`?
        exit: 2
        ");
    assert_snapshot!(galen(home.path(), &["run", "sales", "--param", "day=2"]), @"
        err: error: DAG `sales` has no parameter `day`
        err: hint: did you mean `days`?
        exit: 2
        ");
    assert_snapshot!(galen(home.path(), &["run", "sales", "--param", "days=two"]), @"
        err: error: parameter `days` does not fit, expected a whole number
        exit: 2
        ");
    assert_snapshot!(galen(home.path(), &["runs", "show", "nothing"]), @"
        err: error: no run `nothing`
        err: hint: `galen runs list` lists the newest
        exit: 2
        ");
    assert_snapshot!(galen(home.path(), &["runs", "list", "--dag", "sale"]), @"
        err: error: no DAG `sale`
        err: hint: did you mean `sales`?
        exit: 2
        ");
    assert_snapshot!(galen(home.path(), &["runs", "list", "--dag", "sales", "--json"]), @"
        out: []
        exit: 0
        ");
    assert_snapshot!(galen(home.path(), &["export", "sales", "orders"]), @"
        err: error: dag `sales` has no table `orders`
        err: hint: `galen tables sales` lists them
        exit: 2
        ");
    assert_snapshot!(galen(home.path(), &["retry"]), @"
        err: error: no failed run to retry
        err: hint: `galen runs list` shows how runs ended
        exit: 2
        ");
}

#[test]
fn a_file_to_profile_is_looked_for_here() {
    let home = home();
    assert_snapshot!(galen(home.path(), &["profile", "nope.csv", "--home", "dags"]), @"
        err: error: file `nope.csv` does not exist
        err: hint: relative paths start in the current folder
        exit: 2
        ");
}

#[test]
fn an_address_that_nobody_can_ask_is_a_mistake_of_the_dag() {
    let home = home();
    let folder = home.path().join("dags/web");
    std::fs::create_dir(&folder).expect("folder");
    let dag = "dag_id: web
tasks:
  - {task_id: a, operator: http, with: {url: 'http://me:s3cret@localhost:99999/x?token=s3cret'}}
  - task_id: b
    operator: wait_for
    with: {http: {url: 'https://'}}
  - task_id: c
    operator: ingest
    with:
      source:
        csv:
          - good.csv
          - http://local host/people.csv
      into: people
  - task_id: d
    operator: wait_for
    with: {http: {url: 'ftp://there'}}
";
    std::fs::write(folder.join("dag.yaml"), dag).expect("dag");
    assert_snapshot!(galen(home.path(), &["dags", "validate"]), @"
        out: dags/web/dag.yaml:3:41: `http://localhost:99999/x` is not an address: invalid port number
        out: dags/web/dag.yaml:6:19: `https://` is not an address: empty host
        out: dags/web/dag.yaml:13:13: `http://local host/people.csv` is not an address: invalid international domain name
        out: dags/web/dag.yaml:17:19: expected an `http` or `https` address
        err: 0 sound, 1 broken, problems: 4
        exit: 2
        ");
}

#[test]
fn a_command_that_only_a_shell_understands_is_told_where_it_goes() {
    let home = home();
    let folder = home.path().join("dags/shell");
    std::fs::create_dir(&folder).expect("folder");
    let dag = "dag_id: shell\ntasks:\n  - {task_id: a, operator: shell, with: {command: exit 3}}\n";
    std::fs::write(folder.join("dag.yaml"), dag).expect("dag");
    assert_snapshot!(galen(home.path(), &["dags", "validate"]), @"
        out: dags/shell/dag.yaml:3:42: `command` is `exit 3`, expected a list
        out:   hint: write `script: exit 3`, which a shell reads, or a program and its arguments as a list, as `[python3, report.py]`
        err: 0 sound, 1 broken, problems: 1
        exit: 2
        ");
}
