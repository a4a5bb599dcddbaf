//! A folder that did not change is not checked again.

use std::cell::Cell;
use std::fs;

use galen::dag::{Catalog, Checked, Dag, DagFiles, Flaw, Loaded, load};
use serde_json::Value;

use super::folder::{Folder, TwoOperators};

const SOUND: &str = "dag_id: sales\ntasks:\n- {task_id: load, operator: copy, with: {file: targets.yaml, rows: 1, mode: append}}\n";

thread_local! {
    /// How often an operator was asked about its parameters.
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

impl Catalog for Counting {
    fn operators(&self) -> Vec<&'static str> {
        TwoOperators.operators()
    }

    fn schema(&self, operator: &str) -> Option<Value> {
        TwoOperators.schema(operator)
    }

    fn check(&self, operator: &str, with: &Value, dag: &Dag, files: &DagFiles) -> Vec<Flaw> {
        ASKED.set(ASKED.get() + 1);
        TwoOperators.check(operator, with, dag, files)
    }
}

struct House {
    folder: Folder,
    checked: Checked,
}

impl House {
    fn new() -> Self {
        let folder = Folder::new();
        folder
            .write("sales/dag.yaml", SOUND)
            .write("sales/targets.yaml", "x: 1");
        let checked = Checked::new(folder.dags().with_file_name("checked"));
        Self {
            checked: checked.expect("this program is known"),
            folder,
        }
    }

    /// What is loaded, and whether an operator was asked.
    fn load(&self) -> (Loaded, bool) {
        ASKED.set(0);
        // one DAG is checked on the thread that asks
        let loaded = load(&self.folder.dags(), &Counting, Some(&self.checked)).expect("loaded");
        (loaded, ASKED.get() > 0)
    }
}

#[test]
fn what_did_not_change_is_known_and_every_change_is_checked() {
    let house = House::new();
    let (first, asked) = house.load();
    assert!(asked);
    let (second, asked) = house.load();
    assert!(!asked);
    assert_eq!(first.dags, second.dags);
    assert_eq!(second.dags, house.folder.load().dags);
    for (path, text) in [
        ("sales/dag.yaml", SOUND.replace("rows: 1", "rows: 2")),
        ("sales/targets.yaml", "x: 2".to_owned()),
        ("sales/notes.md", "new".to_owned()),
    ] {
        house.folder.write(path, text);
        let (changed, asked) = house.load();
        assert!(asked, "{path}");
        assert_eq!(changed.dags, house.folder.load().dags, "{path}");
        assert!(!house.load().1, "{path}");
    }
    fs::remove_file(house.folder.dags().join("sales/notes.md")).expect("removed");
    assert!(house.load().1);
    fs::rename(
        house.folder.dags().join("sales"),
        house.folder.dags().join("other"),
    )
    .expect("renamed");
    let (renamed, _) = house.load();
    assert_eq!(renamed.broken.len(), 1, "its id is not the folder's name");
}

#[test]
fn what_is_broken_is_said_each_time() {
    let house = House::new();
    house.load();
    fs::remove_file(house.folder.dags().join("sales/targets.yaml")).expect("removed");
    for _ in 0..2 {
        let (broken, asked) = house.load();
        assert!(asked);
        assert_eq!(broken.broken, house.folder.load().broken);
        assert_eq!(broken.broken.len(), 1);
    }
    house.folder.write("sales/targets.yaml", "x: 1");
    let (sound, _) = house.load();
    assert_eq!(sound.dags.len(), 1);
    // a file that is no text is read past by nobody
    house.folder.write("sales/image.png", [0xff, 0xfe]);
    assert_eq!(house.load().0.broken.len(), 1);
}

#[test]
fn a_damaged_note_is_as_good_as_none() {
    let house = House::new();
    let (first, _) = house.load();
    let note = house.folder.dags().with_file_name("checked").join("sales");
    let whole = fs::read_to_string(&note).expect("a note");
    for damaged in [
        "",
        "x",
        &whole[..whole.len() / 2],
        &whole.replace('\n', " "),
    ] {
        fs::write(&note, damaged).expect("written");
        let (again, asked) = house.load();
        assert!(asked, "{damaged}");
        assert_eq!(again.dags, first.dags);
        assert_eq!(fs::read_to_string(&note).expect("a note"), whole);
    }
    // where nothing can be kept every look is a check
    fs::remove_file(&note).expect("removed");
    fs::create_dir(&note).expect("in its place");
    for _ in 0..2 {
        let (again, asked) = house.load();
        assert!(asked);
        assert_eq!(again.dags, first.dags);
    }
}
