//! Where the columns of a model come from, read from its query plan.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column as PlanColumn, JoinType};
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan};

use super::model::{Models, Planned};
use crate::base::{Error, Result, nearest};

/// One column of one table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableColumn {
    /// The table's full name.
    pub table: String,
    /// The column.
    pub column: String,
}

/// How a task makes a table, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Making {
    /// The task.
    pub task: String,
    /// The table that it reads: each column becomes the one of its name.
    pub from: Option<String>,
    /// Where the deliveries are that it lands, as people are told.
    pub deliveries: Vec<String>,
}

/// How tasks make tables, by full names.
pub type Makings = BTreeMap<String, Vec<Making>>;

/// A column and the columns that its values are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The column.
    pub of: TableColumn,
    /// The file of the model that makes it; `None` for a column that no model makes.
    pub file: Option<String>,
    /// The tasks that write it, when no model does.
    pub tasks: Vec<String>,
    /// The deliveries that it is found in.
    pub deliveries: Vec<String>,
    /// What it is made of, in the order of names; none when it is made of nothing but constants, or stands at the end of the way.
    pub from: Vec<Origin>,
}

/// Which columns each column of each model, and of each table that a task makes of another, is made of.
#[derive(Debug, Default)]
pub struct Lineage {
    direct: BTreeMap<TableColumn, BTreeSet<TableColumn>>,
    files: BTreeMap<String, String>,
    makings: Makings,
    /// Columns of every table that is known.
    columns: BTreeMap<String, Vec<String>>,
}

impl Lineage {
    /// Read from the plans of `models` and from what tasks do.
    ///
    /// # Errors
    /// When a plan cannot be followed.
    pub fn new(models: &Models, planned: &Planned, makings: Makings) -> Result<Self> {
        let mut lineage = Self {
            makings,
            ..Self::default()
        };
        for (table, schema) in &planned.schemas {
            let names = schema.fields().iter().map(|field| field.name().clone());
            lineage.columns.insert(table.clone(), names.collect());
        }
        for model in models.iter() {
            let name = model.full_name();
            lineage.files.insert(name.clone(), model.path.clone());
            let Some(plan) = planned.plans.get(&name) else {
                continue;
            };
            for (index, field) in plan.schema().fields().iter().enumerate() {
                let of = TableColumn {
                    table: name.clone(),
                    column: field.name().clone(),
                };
                lineage.direct.insert(of, sources(plan, index)?);
            }
        }
        lineage.follow_tasks();
        Ok(lineage)
    }

    /// A task that makes a table of another keeps the names of its columns.
    fn follow_tasks(&mut self) {
        for (table, makings) in &self.makings {
            let from = makings.iter().filter_map(|making| making.from.as_ref());
            let pairs = from.flat_map(|from| {
                let shared = self.columns.get(table).into_iter().flatten();
                let there = self.columns.get(from).into_iter().flatten();
                let there: BTreeSet<&String> = there.collect();
                shared
                    .filter(move |column| there.contains(column))
                    .map(move |column| (from, column))
            });
            for (from, column) in pairs {
                let named = |table: &String| TableColumn {
                    table: table.clone(),
                    column: column.clone(),
                };
                let direct = self.direct.entry(named(table)).or_default();
                direct.insert(named(from));
            }
        }
    }

    /// The way of `layer.table.column` back to operational tables and deliveries.
    ///
    /// # Errors
    /// When there is no such column; the hint names the nearest.
    pub fn trace(&self, name: &str) -> Result<Origin> {
        let (table, column) = name
            .rsplit_once('.')
            .filter(|(table, _)| table.contains('.'))
            .ok_or_else(|| {
                let error = Error::new(format!(
                    "`{name}` is not a column, expected `layer.table.column`"
                ));
                match self.columns.get(name) {
                    Some(columns) => error.hint(format!("its columns: {}", columns.join(", "))),
                    None => error.hint("`galen tables DAG` lists the tables"),
                }
            })?;
        let Some(columns) = self.columns.get(table) else {
            let error = Error::new(format!("no table `{table}` whose columns are known"));
            return Err(
                match nearest(table, self.columns.keys().map(String::as_str)) {
                    Some(near) => error.hint(format!("did you mean `{near}`?")),
                    None => error,
                },
            );
        };
        if !columns.iter().any(|known| known == column) {
            let error = Error::new(format!("table `{table}` has no column `{column}`"));
            return Err(match nearest(column, columns.iter().map(String::as_str)) {
                Some(near) => error.hint(format!("did you mean `{table}.{near}`?")),
                None => error.hint(format!("columns: {}", columns.join(", "))),
            });
        }
        Ok(self.origin(TableColumn {
            table: table.to_owned(),
            column: column.to_owned(),
        }))
    }

    /// Neither models nor tasks can form a cycle, so that every way ends.
    fn origin(&self, of: TableColumn) -> Origin {
        let from = self.direct.get(&of).into_iter().flatten();
        let makings = self.makings.get(&of.table).map_or(&[][..], Vec::as_slice);
        Origin {
            from: from.map(|from| self.origin(from.clone())).collect(),
            file: self.files.get(&of.table).cloned(),
            tasks: makings.iter().map(|making| making.task.clone()).collect(),
            deliveries: makings
                .iter()
                .flat_map(|making| making.deliveries.iter().cloned())
                .collect(),
            of,
        }
    }
}

impl Origin {
    /// The columns at the ends: those that neither a model makes nor a task of another table.
    pub fn roots(&self) -> BTreeSet<TableColumn> {
        match self.file.is_none() && self.from.is_empty() {
            true => BTreeSet::from([self.of.clone()]),
            false => self.from.iter().flat_map(Self::roots).collect(),
        }
    }
}

/// The columns of tables that column `index` of a plan's result is made of.
fn sources(plan: &LogicalPlan, index: usize) -> Result<BTreeSet<TableColumn>> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let field = scan.projected_schema.field(index);
            let table = scan.table_name.clone();
            let schema = table
                .schema()
                .map_or_else(String::new, |schema| format!("{schema}."));
            Ok(BTreeSet::from([TableColumn {
                table: format!("{schema}{}", table.table()),
                column: field.name().clone(),
            }]))
        }
        LogicalPlan::Projection(projection) => of_expr(&projection.expr[index], &projection.input),
        LogicalPlan::Aggregate(aggregate) => {
            let groups = grouping_columns(&aggregate.group_expr);
            match index.checked_sub(groups.len()) {
                None => of_expr(&groups[index], &aggregate.input),
                Some(at) => match aggregate.aggr_expr.get(at) {
                    Some(expr) => of_expr(expr, &aggregate.input),
                    None => Ok(BTreeSet::new()), // which of several groupings a row belongs to
                },
            }
        }
        LogicalPlan::Window(window) => {
            let before = window.input.schema().fields().len();
            match index.checked_sub(before) {
                None => sources(&window.input, index),
                Some(at) => of_expr(&window.window_expr[at], &window.input),
            }
        }
        LogicalPlan::Join(join) => {
            let left = match join.join_type {
                JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => 0,
                _ => join.left.schema().fields().len(),
            };
            let right = join.right.schema().fields().len();
            match index.checked_sub(left) {
                None => sources(&join.left, index),
                Some(at) if at < right => sources(&join.right, at),
                Some(_) => Ok(BTreeSet::new()), // whether the other side had a row
            }
        }
        LogicalPlan::Union(union) => {
            let mut found = BTreeSet::new();
            for input in &union.inputs {
                found.extend(sources(input, index)?);
            }
            Ok(found)
        }
        LogicalPlan::RecursiveQuery(query) => sources(&query.static_term, index),
        LogicalPlan::Distinct(Distinct::On(on)) => of_expr(&on.select_expr[index], &on.input),
        LogicalPlan::Values(_) | LogicalPlan::EmptyRelation(_) => Ok(BTreeSet::new()),
        other => match other.inputs()[..] {
            [input] if input.schema().fields().len() == other.schema().fields().len() => {
                sources(input, index)
            }
            ref inputs => {
                // the plan makes columns in a way of its own: everything that goes in may be part of them
                let mut found = BTreeSet::new();
                for input in inputs {
                    for at in 0..input.schema().fields().len() {
                        found.extend(sources(input, at)?);
                    }
                }
                Ok(found)
            }
        },
    }
}

/// The columns of `input` that `expr` names, and those of the queries inside it, followed back.
fn of_expr(expr: &Expr, input: &LogicalPlan) -> Result<BTreeSet<TableColumn>> {
    let mut columns: Vec<PlanColumn> = Vec::new();
    let mut found = BTreeSet::new();
    let mut failed = None;
    let walked = expr.apply(|part| {
        let subquery = match part {
            Expr::Column(column) => {
                columns.push(column.clone());
                None
            }
            Expr::ScalarSubquery(subquery) => Some(subquery),
            Expr::InSubquery(inside) => Some(&inside.subquery),
            Expr::Exists(inside) => Some(&inside.subquery),
            _ => None,
        };
        if let Some(subquery) = subquery {
            for index in 0..subquery.subquery.schema().fields().len() {
                match sources(&subquery.subquery, index) {
                    Ok(more) => found.extend(more),
                    Err(error) => failed = Some(error),
                }
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
    walked.map_err(super::error::planning)?;
    if let Some(error) = failed {
        return Err(error);
    }
    for column in columns {
        // a column of a query outside is not among the input's
        if let Some(index) = input.schema().maybe_index_of_column(&column) {
            found.extend(sources(input, index)?);
        }
    }
    Ok(found)
}

/// The columns that a GROUP BY gives, grouping sets written out.
pub(super) fn grouping_columns(exprs: &[Expr]) -> Vec<Expr> {
    match exprs {
        [Expr::GroupingSet(set)] => set.distinct_expr().into_iter().cloned().collect(),
        exprs => exprs.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{CellType, Schema, Table, TableColumn as Declared};
    use crate::lake::model::Sources;

    #[test]
    fn columns_are_followed_through_everything_that_a_query_can_do() {
        let mut op = Schema::default();
        let names = ["id", "day", "cost", "kind"];
        op.insert(Table {
            name: "visits".to_owned(),
            columns: names
                .map(|name| Declared {
                    name: name.to_owned(),
                    cell_type: CellType::Integer,
                    nullable: true,
                    has_default: false,
                })
                .into(),
            key: Vec::new(),
            foreign_keys: Vec::new(),
        });
        let files = [
            ("models/silver/v.sql", "SELECT v.id, v.day + v.kind AS mixed, row_number() OVER (PARTITION BY kind ORDER BY day) AS n FROM op.visits v"),
            (
                "models/gold/g.sql",
                "WITH x AS (SELECT mixed, n FROM silver.v UNION ALL SELECT cost, 1 FROM op.visits)
                 SELECT x.mixed AS m, sum(n) AS total, (SELECT max(id) FROM silver.v) AS highest, 1 AS one
                 FROM x JOIN op.visits o ON o.id = x.n GROUP BY x.mixed HAVING count(*) > 0",
            ),
        ];
        let (models, problems) = Models::read(
            files.into_iter(),
            Sources {
                op,
                ..Sources::default()
            },
        );
        assert_eq!(problems, []);
        let (planned, problems) = Planned::new(&models).expect("plans");
        assert_eq!(problems, []);
        let lineage = Lineage::new(&models, &planned, Makings::new()).expect("lineage");
        let roots = |name: &str| {
            let roots = lineage.trace(name).expect(name).roots();
            let roots: Vec<String> = roots
                .into_iter()
                .map(|root| format!("{}.{}", root.table, root.column))
                .collect();
            roots.join(" ")
        };
        assert_eq!(
            roots("gold.g.m"),
            "op.visits.cost op.visits.day op.visits.kind"
        );
        assert_eq!(roots("gold.g.total"), "op.visits.day op.visits.kind");
        assert_eq!(roots("gold.g.highest"), "op.visits.id");
        assert_eq!(roots("gold.g.one"), "");
        assert!(
            lineage
                .trace("gold.g.totl")
                .expect_err("typo")
                .hint_text()
                .is_some_and(|hint| hint.contains("gold.g.total"))
        );
        assert!(lineage.trace("gold.m").is_err());
    }
}
