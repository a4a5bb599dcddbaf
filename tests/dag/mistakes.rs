//! Every kind of mistake, each told with its place and the way out, all in one report.

use super::folder::Folder;

#[test]
fn every_mistake_of_a_file_is_in_one_report() {
    let folder = Folder::new();
    folder
        .write("sales/targets/orders.yaml", "x: 1")
        .write("sales/targets/bad.yaml", "bad: 1")
        .write(
            "sales/dag.yaml",
            r#"dag_id: sale
descripton: misspelt
owner: 7
tags: shop
retries: 3
schedule: {cron: "61 3 * * *", timezone: Europe/Madird, start_date: 2026-02-30, catchup: "yes"}
dagrun_timeout: 2 hours
max_active_runs: 0
params:
  rows: {type: integer, default: many}
  day: {default: 2026-01-01, minimun: 3}
tables: tables.sql
default_args:
  retry_delay: soon
  execution_timeout: 0s
tasks:
  - task_id: load
    operator: cpoy
    trigger_rule: all_sucess
  - task_id: load
    operator: copy
    retries: -1
    with: {file: targets/order.yaml}
  - task_id: clean up
    operator: copy
    depends_on: [load, lod]
    with: {file: targets/bad.yaml, row: 7, mode: apend, rows: "{{ params.row }}", source: {csw: x}}
  - operator: shell
    depend_on: [load]
    with: {command: "{{ ds"}
  - task_id: a
    operator: shell
    depends_on: [c]
    with: {command: ["{{ dss }}", "{{ outputs.c.rows }}", "{{ ds | upper | nope }}", 5]}
  - task_id: b
    operator: shell
    depends_on: [a]
    on_failure: {operator: copy, with: {file: targets/orders.yaml}}
    on_failure: {operator: shell, with: {cmd: [x]}}
  - task_id: c
    operator: shell
    depends_on: [b]
  - task_id: d
    operator: copy
    when: "{{ 1 + 1 }}"
    with: {rows: 1.5, source: {json: {pth: x}}}
  - task_id: e
    operator: copy
    with: {file: targets/bad.yaml}
  - just text
"#,
        );
    insta::assert_snapshot!(folder.report(), @r##"
    dags/sales/dag.yaml:1:1: dag_id `sale` differs from the folder's name `sales`
      hint: rename one of them
    dags/sales/dag.yaml:2:1: unknown key `descripton`
      hint: did you mean `description`?
    dags/sales/dag.yaml:3:1: `owner` is `7`, expected text
      hint: put it in quotes
    dags/sales/dag.yaml:4:1: `tags` is `shop`, expected a list
      hint: write a list, as `[shop]`
    dags/sales/dag.yaml:5:1: unknown key `retries`
      hint: it belongs to a task, or to `default_args` for all of them
    dags/sales/dag.yaml:6:12: `61 3 * * *` is not a cron expression: minute `61`: number out of bounds
      hint: minute 0-59, hour 0-23, day of month 1-31, month 1-12, day of week 0-7, as `0 3 * * *`; or a preset such as `@daily`
    dags/sales/dag.yaml:6:32: `Europe/Madird` is not an IANA time zone
      hint: did you mean `Europe/Madrid`?
    dags/sales/dag.yaml:6:57: `2026-02-30` is not a date
      hint: expected for example `2026-01-31` or `2026-01-31T06:00:00Z`
    dags/sales/dag.yaml:6:81: `catchup` is `yes`, expected true or false
    dags/sales/dag.yaml:7:1: `2 hours` is not a duration, expected for example `30s`, `5m` or `2h`
    dags/sales/dag.yaml:8:1: `max_active_runs` is `0`, expected at least 1
    dags/sales/dag.yaml:10:25: default of parameter `rows`: `"many"` is not a whole number
    dags/sales/dag.yaml:11:30: unknown key `minimun`
      hint: did you mean `minimum`?
    dags/sales/dag.yaml:12:1: file `tables.sql` is not in the DAG's folder
      hint: paths of definition files are relative to the DAG's folder
    dags/sales/dag.yaml:14:3: `soon` is not a duration, expected for example `30s`, `5m` or `2h`
    dags/sales/dag.yaml:15:3: a limit of `0s` leaves no time, expected more
      hint: leave it out for no limit
    dags/sales/dag.yaml:18:5: unknown operator `cpoy`
      hint: did you mean `copy`?
    dags/sales/dag.yaml:19:5: `trigger_rule` is `all_sucess`, expected one of `all_success`, `all_failed`, `all_done`, `all_skipped`, `one_success`, `one_failed`, `one_done`, `none_failed`, `none_failed_min_one_success`, `none_skipped`, `always`
      hint: did you mean `all_success`?
    dags/sales/dag.yaml:20:5: task `load` is defined a second time, the first is on line 17
    dags/sales/dag.yaml:22:5: `retries` is `-1`, expected at least 0
    dags/sales/dag.yaml:23:12: file `targets/order.yaml` is not in the DAG's folder
      hint: did you mean `targets/orders.yaml`?
    dags/sales/dag.yaml:24:5: `clean up` is not a task_id, expected up to 250 letters, digits, `_`, `.` or `-`, a letter or digit first
    dags/sales/dag.yaml:26:24: task `clean up` depends on `lod`, which is no task of this DAG
      hint: did you mean `load`?
    dags/sales/dag.yaml:27:36: unknown key `row`
      hint: did you mean `rows`?
    dags/sales/dag.yaml:27:44: `mode` is `apend`, expected one of `append`, `replace`
      hint: did you mean `append`?
    dags/sales/dag.yaml:27:57: template names `params.row`, which is no parameter of this DAG
      hint: did you mean `params.rows`?
    dags/sales/dag.yaml:27:83: `source` has none of the keys `csv`, `json`
      hint: did you mean `csv`?
    dags/sales/dag.yaml:28:5: `task_id` is missing
    dags/sales/dag.yaml:29:5: unknown key `depend_on`
      hint: did you mean `depends_on`?
    dags/sales/dag.yaml:30:12: template `{{ ds`: syntax error (unexpected end of input, expected end of variable block)
    dags/sales/dag.yaml:33:5: tasks form a cycle: `a` → `b` → `c` → `a`
      hint: remove one of these dependencies
    dags/sales/dag.yaml:34:22: template names `dss`, which is not defined
      hint: did you mean `ds`?
    dags/sales/dag.yaml:34:59: template `{{ ds | upper | nope }}`: unknown filter (filter nope is unknown)
    dags/sales/dag.yaml:34:86: `command[3]` is `5`, expected text
      hint: put it in quotes
    dags/sales/dag.yaml:39:5: key `on_failure` is given a second time, the first is on line 38
    dags/sales/dag.yaml:39:42: unknown key `cmd`
      hint: known keys: command
    dags/sales/dag.yaml:45:5: `when` rendered to `2`, expected `true` or `false`
      hint: write a comparison, as `{{ outputs.load.rows > 0 }}`
    dags/sales/dag.yaml:46:5: `file` is missing
    dags/sales/dag.yaml:46:12: `rows` is `1.5`, expected a whole number
    dags/sales/dag.yaml:46:32: `path` is missing
    dags/sales/dag.yaml:46:39: unknown key `pth`
      hint: did you mean `path`?
    dags/sales/dag.yaml:50:5: `tasks[9]` is `just text`, expected a map
    dags/sales/targets/bad.yaml:1:4: `bad` is not a column
    "##);
}

#[test]
fn templates_see_only_what_is_done_before() {
    let folder = Folder::new();
    folder.write(
        "a/dag.yaml",
        r#"dag_id: a
tasks:
  - {task_id: first, operator: shell}
  - {task_id: second, operator: shell, depends_on: [first]}
  - task_id: third
    operator: shell
    depends_on: [second]
    when: "{{ outputs.fourth.rows > 0 }}"
    with: {command: ["{{ outputs.first.rows }} of {{ outputs.frist.rows }}", "{{ outputs['second'].rows }}"]}
    on_success: {operator: shell, with: {command: ["{{ outputs.third.rows }}"]}}
  - {task_id: fourth, operator: shell}
on_failure: {operator: shell, with: {command: ["{{ outputs.fourth.rows }} {{ params.nope }}"]}}
"#,
    );
    insta::assert_snapshot!(folder.report(), @r##"
    dags/a/dag.yaml:8:5: template names `outputs.fourth`, but `fourth` need not be done before `third`
      hint: add `fourth` to `depends_on` of `third`
    dags/a/dag.yaml:9:22: template names `outputs.frist`, but there is no task `frist`
      hint: did you mean `outputs.first`?
    dags/a/dag.yaml:12:48: template names `params.nope`, which is no parameter of this DAG
      hint: declare it under `params`, with a default
    "##);
}

#[test]
fn a_file_that_is_not_yaml_has_a_place() {
    let folder = Folder::new();
    folder.write("a/dag.yaml", "dag_id: a\ntasks: [\n  {task_id: x\n");
    insta::assert_snapshot!(folder.report(), @r##"
    dags/a/dag.yaml:3:3: not YAML: unclosed bracket '{' at line 3, column 3
    "##);
}

#[test]
fn empty_and_missing_files_are_told() {
    let folder = Folder::new();
    folder
        .write("empty/dag.yaml", "")
        .write("list/dag.yaml", "- 1\n")
        .write("none/tables.sql", "")
        .write("no_tasks/dag.yaml", "dag_id: no_tasks\ntasks: []\n")
        .write(
            "pg_catalog/dag.yaml",
            "dag_id: pg_catalog\ntasks: [{task_id: a, operator: shell}]\n",
        );
    insta::assert_snapshot!(folder.report(), @r##"
    dags/empty/dag.yaml:1:1: the file is empty, expected a map
    dags/list/dag.yaml:1:1: the file is a list, expected a map
    dags/no_tasks/dag.yaml:2:1: `tasks` is empty, expected at least 1
    dags/none: the folder has no `dag.yaml`
    dags/pg_catalog/dag.yaml:1:1: `pg_catalog` is reserved, expected another name
    "##);
}

#[test]
fn files_that_are_not_definitions_are_refused() {
    let folder = Folder::new();
    let dag = "dag_id: a\ntasks: [{task_id: x, operator: shell}]\n";
    folder
        .write("a/dag.yaml", dag)
        .write("a/maps/latin.csv", b"id,name\n1,Jos\xe9\n")
        .write("a/huge.csv", vec![b'x'; 5_000_001])
        .write("a/fixtures/huge.csv", vec![0xff; 5_000_001])
        .write("a/.cache", [0xff]);
    insta::assert_snapshot!(folder.report(), @r##"
    dags/a/huge.csv: has 5000001 bytes, expected at most 5000000; data does not belong into a DAG's folder
    dags/a/maps/latin.csv: is not UTF-8 text (line 2), expected a definition file
    "##);
}

#[test]
fn schedules_are_checked_as_a_whole() {
    let folder = Folder::new();
    for (name, schedule) in [
        (
            "backwards",
            "{cron: '@daily', start_date: 2026-02-01, end_date: 2026-01-01}",
        ),
        ("once", "'@once'"),
        ("catchup", "{cron: '@daily', catchup: true}"),
        ("preset", "'@dayly'"),
        ("fields", "'0 3 * *'"),
        ("number", "5"),
        ("no_cron", "{timezone: UTC}"),
    ] {
        let text = format!(
            "dag_id: {name}\nschedule: {schedule}\ntasks: [{{task_id: x, operator: shell}}]\n"
        );
        folder.write(&format!("{name}/dag.yaml"), text);
    }
    insta::assert_snapshot!(folder.report(), @r##"
    dags/backwards/dag.yaml:2:52: `end_date` is before `start_date`, so that nothing is ever due
    dags/catchup/dag.yaml:2:12: `catchup: true` needs a `start_date`
      hint: add it, as `start_date: 2026-01-01`
    dags/fields/dag.yaml:2:1: `0 3 * *` is not a cron expression: it has 4 fields, expected 5
      hint: minute 0-59, hour 0-23, day of month 1-31, month 1-12, day of week 0-7, as `0 3 * * *`; or a preset such as `@daily`
    dags/no_cron/dag.yaml:2:1: `cron` is missing
    dags/number/dag.yaml:2:1: `schedule` is `5`, expected text or a map
      hint: put it in quotes
    dags/once/dag.yaml:2:1: `@once` needs a `start_date`
      hint: add it, as `start_date: 2026-01-01`
    dags/preset/dag.yaml:2:1: `@dayly` is not a preset
      hint: did you mean `@daily`?
    "##);
}
