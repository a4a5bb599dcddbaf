//! The DAGs that come with Galen.

use std::fs;
use std::path::Path;

use galen::dag::{Graph, load_folder};
use galen::operators::Operators;
use galen::schedule::Timetable;

#[test]
fn every_dag_in_the_repository_is_sound() {
    let dags = Path::new(env!("CARGO_MANIFEST_DIR")).join("dags");
    for entry in fs::read_dir(dags).expect("dags") {
        let folder = entry.expect("entry").path();
        if !folder.join("dag.yaml").is_file() {
            continue;
        }
        let version = load_folder(&folder, &Operators::all(), None).unwrap_or_else(|broken| {
            let problems = broken.problems.iter().map(|problem| format!("{problem}\n"));
            panic!("{}", problems.collect::<String>())
        });
        Graph::new(&version.dag.tasks).expect("graph");
        Timetable::new(version.dag.schedule.as_ref()).expect("timetable");
    }
}
