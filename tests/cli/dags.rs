//! `galen dags …` and `galen schema dag`.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::galen::galen;

const DAG: &str = r#"dag_id: orders
description: Orders to tables
owner: shop
tags: [daily, core]
params: {rows: 10}
tasks:
  - {task_id: fetch, operator: shell, with: {command: ["true"]}}
  - {task_id: check, operator: noop, depends_on: [fetch], trigger_rule: all_done}
  - {task_id: load, operator: shell, depends_on: [fetch, check], when: "{{ params.rows > 0 }}", with: {command: ["true"]}}
"#;

fn home(dags: &[(&str, &str)]) -> TempDir {
    let home = tempfile::tempdir().expect("home");
    for (name, text) in dags {
        write(home.path(), name, text);
    }
    home
}

fn write(home: &Path, name: &str, text: &str) {
    let folder = home.join("dags").join(name);
    fs::create_dir_all(&folder).expect("folder");
    fs::write(folder.join("dag.yaml"), text).expect("file");
}

#[test]
fn validate_prints_every_problem_and_ends_with_2() {
    let broken = DAG
        .replace("operator: noop", "operator: nop")
        .replace("owner", "ownr");
    let home = home(&[
        ("orders", &broken),
        (
            "sound",
            "dag_id: sound\ntasks: [{task_id: a, operator: noop}]\n",
        ),
    ]);
    insta::assert_snapshot!(galen(home.path(), &["dags", "validate"]), @r##"
    out: dags/orders/dag.yaml:3:1: unknown key `ownr`
    out:   hint: did you mean `owner`?
    out: dags/orders/dag.yaml:8:22: unknown operator `nop`
    out:   hint: did you mean `noop`?
    err: 1 sound, 1 broken, problems: 2
    exit: 2
    "##);
    let one = galen(home.path(), &["dags", "validate", "dags/sound/dag.yaml"]);
    assert_eq!((one.code, one.err.as_str()), (0, "1 sound\n"));
    let json: Value =
        serde_json::from_str(&galen(home.path(), &["dags", "validate", "--json"]).out)
            .expect("json");
    assert_eq!(json[0]["line"], 3);
    assert_eq!(json[1]["hint"], "did you mean `noop`?");
}

#[test]
fn a_pool_that_is_not_there_is_a_mistake_and_one_that_is_small_is_none() {
    let pooled = "dag_id: orders\ndefault_args: {pool: smal}\ntasks:\n  - {task_id: a, operator: noop, pool: night}\n  - {task_id: b, operator: noop, pool: small, pool_slots: 3}\n  - {task_id: c, operator: noop}\n";
    let home = home(&[("orders", pooled)]);
    let pools = |text: &str| {
        let text = format!("[pools]\n{text}");
        fs::write(home.path().join("galen.toml"), text).expect("written");
    };
    let is_sound = || !galen(home.path(), &["dags", "list"]).out.contains("broken");
    pools("small = 2");
    insta::assert_snapshot!(galen(home.path(), &["dags", "validate"]), @r##"
    out: dags/orders/dag.yaml:2:16: unknown pool `smal`
    out:   hint: did you mean `small`?
    out: dags/orders/dag.yaml:4:34: unknown pool `night`
    out:   hint: pools: default_pool, small; `[pools]` in `galen.toml` adds others
    err: 0 sound, 1 broken, problems: 2
    exit: 2
    "##);
    let refused = galen(home.path(), &["run", "orders"]);
    assert_eq!(refused.code, 2, "{refused}");
    assert!(refused.err.contains("unknown pool `night`"), "{refused}");

    pools("small = 2\nsmal = 1\nnight = 1");
    assert!(is_sound());
    let doctor = galen(home.path(), &["doctor"]);
    assert_eq!(doctor.code, 0, "{doctor}");
    let ran = galen(home.path(), &["run", "orders"]);
    assert_eq!(
        ran.code, 0,
        "a task larger than its pool has it alone: {ran}"
    );
    pools("small = 2");
    assert!(
        !is_sound(),
        "what was sound with other pools is checked again"
    );
}

#[test]
fn list_has_the_broken_ones_too() {
    let home = home(&[("orders", DAG), ("worse", "dag_id: worse")]);
    insta::assert_snapshot!(galen(home.path(), &["dags", "list"]), @r##"
    out: dag_id  status  schedule  next_run  tasks  owner  tags
    out: orders  ok      -         -             3  shop   daily,core
    out: worse   broken  -         -             -  -
    err: hint: `galen dags validate` says what is wrong with the broken ones
    exit: 0
    "##);
}

#[test]
fn show_draws_the_layers() {
    let home = home(&[("orders", DAG)]);
    insta::assert_snapshot!(galen(home.path(), &["dags", "show", "orders"]), @r##"
    out: dag          orders
    out: description  Orders to tables
    out: owner        shop
    out: tags         daily, core
    out: schedule     none
    out: params       rows=10
    out: version      84dca4d5474d846a1931e80b307c3280df6dbc9be69c5ece34a8240b9161d5ed
    out: 
    out:   1  fetch  shell
    out:   2  check  noop   after fetch (all_done)
    out:   3  load   shell  after fetch, check when {{ params.rows > 0 }}
    exit: 0
    "##);
    insta::assert_snapshot!(galen(home.path(), &["dags", "show", "orders", "--dot"]), @r##"
    out: digraph "orders" {
    out:   rankdir=LR;
    out:   node [shape=box];
    out:   "fetch" [label="fetch\nshell"];
    out:   "check" [label="check\nnoop"];
    out:   "load" [label="load\nshell"];
    out:   "fetch" -> "check" [style=dashed];
    out:   "fetch" -> "load";
    out:   "check" -> "load";
    out: }
    exit: 0
    "##);
    insta::assert_snapshot!(galen(home.path(), &["dags", "show", "order"]), @r##"
    err: error: no DAG `order`
    err: hint: did you mean `orders`?
    exit: 2
    "##);
    let json = galen(home.path(), &["dags", "show", "orders", "--json"]).out;
    let dag: Value = serde_json::from_str(&json).expect("json");
    assert_eq!(dag["tasks"][0]["pool"], "default_pool");
}

#[test]
fn next_runs_lists_what_is_ahead() {
    let daily = DAG.replace(
        "params:",
        "schedule: {cron: '@daily', timezone: Europe/Madrid}\nparams:",
    );
    let home = home(&[("orders", &daily)]);
    let said = galen(
        home.path(),
        &["dags", "next-runs", "orders", "-n", "400", "--json"],
    );
    let runs: Vec<Value> = serde_json::from_str(&said.out).expect("json");
    assert_eq!(runs.len(), 400);
    for pair in runs.windows(2) {
        assert_eq!(pair[0]["data_interval_end"], pair[1]["data_interval_start"]);
        assert!(pair[0]["local"].as_str().expect("text").contains(" 00:00 "));
    }
    write(home.path(), "orders", DAG);
    insta::assert_snapshot!(galen(home.path(), &["dags", "next-runs", "orders"]), @r##"
    out: starts  local  data_interval_start  data_interval_end
    err: DAG `orders` has no run ahead: it has no schedule and runs when asked
    exit: 0
    "##);
}

#[test]
fn the_schema_is_json() {
    let home = home(&[]);
    let said = galen(home.path(), &["schema", "dag"]);
    let schema: Value = serde_json::from_str(&said.out).expect("json");
    assert_eq!(schema["title"], "Galen DAG");
    assert!(schema["$defs"]["shell"]["properties"]["command"].is_object());
}
