//! From a plan and a request to files and the answer key.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::num::NonZero;

use chrono::NaiveDate;

use super::block::{BLOCK_ROWS, Block, Setting};
use super::compile::visible_names;
use super::csv_text::push_field;
use super::file::{NewFile, io_error};
use super::plan::{ListSource, Plan};
use super::request::{FileReport, Planted, Report, Request};
use super::words::WordList;
use crate::base::{Error, Result};

/// The file that the answer key is written to, beside the tables; no CSV, so that `*.csv` means the tables.
pub const ANSWER_KEY: &str = "answer_key.json";

/// Generates the files of `request`. `None` when `stop` said so in between; then no file was touched.
///
/// # Errors
/// When the request does not fit the plan, or a file cannot be written.
pub fn generate(plan: &Plan, request: &Request, stop: &dyn Fn() -> bool) -> Result<Option<Report>> {
    let work = Work {
        plan,
        seed: request.seed.unwrap_or(plan.seed),
        rows: request.rows_of(plan)?,
        wanted: request.wanted(plan)?,
        threads: match request.threads {
            0 => std::thread::available_parallelism().map_or(1, NonZero::get),
            threads => threads,
        },
        stop,
    };
    std::fs::create_dir_all(&request.out).map_err(|error| io_error(&request.out, error))?;
    let mut files = work.files(request)?;
    let mut totals = Totals::new(plan);
    for (n, &day) in request.days.iter().enumerate() {
        let lists = work.lists(day)?;
        for root in (0..plan.tables.len()).filter(|&place| plan.tables[place].root == place) {
            if !work.is_wanted(root) || (n > 0 && !plan.tables[root].daily) {
                continue;
            }
            let setting = work.setting(root, day, &lists, &work.wanted);
            let done = work.family(&setting, &mut |block| {
                totals.add(&block);
                write_block(&mut files, &block)
            })?;
            if !done {
                return Ok(None);
            }
        }
    }
    totals.report(plan, files, request).map(Some)
}

fn write_block(files: &mut [Option<NewFile>], block: &Block) -> Result<()> {
    let written = files.iter_mut().zip(&block.csv);
    for (file, csv) in written.filter_map(|(file, csv)| Some((file.as_mut()?, csv))) {
        file.write(csv)?;
    }
    Ok(())
}

struct Work<'a> {
    plan: &'a Plan,
    seed: u64,
    rows: Vec<Option<u64>>,
    wanted: Vec<bool>,
    threads: usize,
    stop: &'a dyn Fn() -> bool,
}

impl<'a> Work<'a> {
    fn is_wanted(&self, root: usize) -> bool {
        let tables = self.plan.tables.iter().zip(&self.wanted);
        tables
            .into_iter()
            .any(|(table, &wanted)| wanted && table.root == root)
    }

    /// The files of the wanted tables, each with its header.
    fn files(&self, request: &Request) -> Result<Vec<Option<NewFile>>> {
        let tables = self.plan.tables.iter().zip(&self.wanted);
        let files = tables.map(|(table, &wanted)| {
            let Some(name) = table.file.as_ref().filter(|_| wanted) else {
                return Ok(None);
            };
            let mut file = NewFile::create(request.out.join(name))?;
            file.write(&header(&visible_names(table)))?;
            Ok(Some(file))
        });
        files.collect()
    }

    fn setting<'s>(
        &'s self,
        root: usize,
        day: NaiveDate,
        lists: &'s [Cow<'s, WordList>],
        wanted: &'s [bool],
    ) -> Setting<'s>
    where
        'a: 's,
    {
        Setting {
            plan: self.plan,
            lists,
            rows: &self.rows,
            seed: self.seed,
            root,
            day,
            wanted,
        }
    }

    /// The plan's lists with the rows of the tables that others refer to.
    fn lists(&self, day: NaiveDate) -> Result<Vec<Cow<'a, WordList>>> {
        let mut lists: Vec<Cow<'a, WordList>> = Vec::new();
        for source in &self.plan.lists {
            let list = match source {
                ListSource::Words(words) => Cow::Borrowed(words),
                ListSource::Table(table) => Cow::Owned(self.rows_of(*table, day, &lists)?),
            };
            lists.push(list);
        }
        Ok(lists)
    }

    /// The rows of a table as a list. A list it needs itself comes before it in the plan.
    fn rows_of(
        &self,
        root: usize,
        day: NaiveDate,
        lists: &[Cow<'a, WordList>],
    ) -> Result<WordList> {
        let table = &self.plan.tables[root];
        let mut only = vec![false; self.plan.tables.len()];
        only[root] = true;
        let mut csv = header(&visible_names(table));
        let setting = self.setting(root, day, lists, &only);
        self.family(&setting, &mut |block| {
            csv.extend_from_slice(&block.csv[root]);
            Ok(())
        })?;
        let csv = String::from_utf8(csv)
            .map_err(|error| Error::new("a generated text is not UTF-8").because(error))?;
        WordList::read(&table.name, &csv)
    }

    /// Makes the blocks of a family and hands them on in order; `false` when it was stopped.
    fn family(&self, setting: &Setting, take: &mut dyn FnMut(Block) -> Result<()>) -> Result<bool> {
        let cut_table = self.plan.cut_of(setting.root);
        let mut left = cut_table.and_then(|table| self.rows[table]);
        let roots = self.rows[setting.root].unwrap_or(u64::MAX);
        let mut next = 0;
        while next * BLOCK_ROWS < roots {
            if (self.stop)() {
                return Ok(false);
            }
            let numbers: Vec<u64> = (next..next + self.threads as u64).collect();
            next += self.threads as u64;
            for (number, mut block) in self.blocks(setting, roots, &numbers)? {
                if let (Some(table), Some(rows)) = (cut_table, &mut left) {
                    if block.rows[table] >= *rows {
                        let cut = Some((table, *rows));
                        block = setting.block(number, rows_in(number, roots), cut);
                        take(block)?;
                        return Ok(true);
                    }
                    *rows -= block.rows[table];
                }
                take(block)?;
            }
        }
        Ok(true)
    }

    fn blocks(&self, setting: &Setting, roots: u64, numbers: &[u64]) -> Result<Vec<(u64, Block)>> {
        let make = |number: u64| (number, setting.block(number, rows_in(number, roots), None));
        let numbers = || numbers.iter().copied().filter(|n| n * BLOCK_ROWS < roots);
        if self.threads == 1 {
            return Ok(numbers().map(make).collect());
        }
        std::thread::scope(|scope| {
            let threads: Vec<_> = numbers()
                .map(|number| scope.spawn(move || make(number)))
                .collect();
            let blocks = threads.into_iter().map(|thread| {
                let block = thread.join();
                block.map_err(|_| Error::new("a generator thread broke down"))
            });
            blocks.collect()
        })
    }
}

fn rows_in(block: u64, roots: u64) -> u64 {
    BLOCK_ROWS.min(roots - block * BLOCK_ROWS)
}

fn header(names: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    for (n, name) in names.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        push_field(&mut out, name.as_bytes());
    }
    out.push(b'\n');
    out
}

struct Totals {
    rows: Vec<u64>,
    defects: BTreeMap<(usize, usize), u64>,
}

impl Totals {
    fn new(plan: &Plan) -> Self {
        Self {
            rows: vec![0; plan.tables.len()],
            defects: BTreeMap::new(),
        }
    }

    fn add(&mut self, block: &Block) {
        for (total, rows) in self.rows.iter_mut().zip(&block.rows) {
            *total += rows;
        }
        for (place, rows) in &block.defects {
            *self.defects.entry(*place).or_default() += rows;
        }
    }

    /// Puts the files and the answer key in their places.
    fn report(self, plan: &Plan, files: Vec<Option<NewFile>>, request: &Request) -> Result<Report> {
        let mut report = Report::default();
        for (place, file) in files.into_iter().enumerate() {
            let table = &plan.tables[place];
            let (Some(file), Some(name)) = (file, &table.file) else {
                continue;
            };
            report.files.push(FileReport {
                table: table.name.clone(),
                path: request.out.join(name),
                rows: self.rows[place],
                written: file.finish()?,
            });
            let defects = self
                .defects
                .iter()
                .filter(|((table, _), _)| *table == place);
            report.key.extend(defects.map(|((_, defect), &rows)| {
                let defect = &plan.defects[*defect];
                Planted {
                    table: table.name.clone(),
                    defect: defect.name.clone(),
                    expect: defect.expect,
                    rows,
                }
            }));
        }
        let mut key = NewFile::create(request.out.join(ANSWER_KEY))?;
        key.write(answer_key(&report.key).as_bytes())?;
        key.finish()?;
        Ok(report)
    }
}

fn answer_key(key: &[Planted]) -> String {
    let lines: Vec<String> = key
        .iter()
        .map(|planted| {
            let line = serde_json::json!({
                "table": planted.table,
                "defect": planted.defect,
                "expect": planted.expect.to_string(),
                "rows": planted.rows,
            });
            format!("  {line}")
        })
        .collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}
