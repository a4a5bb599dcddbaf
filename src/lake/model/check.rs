//! Holds models against each other by planning them on empty tables: nothing runs, nothing is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;

use super::explain::explain;
use super::hint::did_you_mean;
use super::models::{Model, Models};
use super::{Materialized, OP, Rule};
use crate::base::{Place, Problem, Result};
use crate::lake::compute::Compute;
use crate::lake::types::{kept_schema, of_cell};

/// The plans of models and the columns they end with.
#[derive(Debug, Default)]
pub struct Planned {
    pub(in crate::lake) plans: BTreeMap<String, LogicalPlan>,
    /// Columns of models, operational tables and described sources.
    pub(in crate::lake) schemas: BTreeMap<String, SchemaRef>,
}

impl Planned {
    /// Plans all of `models`, and says what is wrong with their queries, headers and descriptions. A model that reads, itself or through
    /// others, a table whose columns nobody knows yet is left out.
    ///
    /// # Errors
    /// None in practice: when the engine cannot start.
    pub fn new(models: &Models) -> Result<(Self, Vec<Problem>)> {
        futures::executor::block_on(Self::plan(models))
    }

    /// As [`Planned::new`].
    ///
    /// # Errors
    /// As [`Planned::new`].
    pub async fn plan(models: &Models) -> Result<(Self, Vec<Problem>)> {
        let compute = Compute::planner()?;
        let mut planned = Self::default();
        let mut problems = Vec::new();
        planned.add_sources(models, &compute)?;
        for model in models.iter() {
            let name = model.full_name();
            let unknown = model
                .reads()
                .any(|table| !planned.schemas.contains_key(&table));
            if unknown {
                continue;
            }
            match plan_model(model, &compute).await {
                Ok((plan, schema)) => {
                    let table = Arc::new(EmptyTable::new(schema.clone()));
                    compute.register(&model.layer, &model.name, table)?;
                    planned.plans.insert(name.clone(), plan);
                    planned.schemas.insert(name, schema);
                }
                Err(problem) => problems.push(problem),
            }
        }
        for model in models.iter() {
            if let Some(schema) = planned.schemas.get(&model.full_name()) {
                check_names(model, schema, &mut problems);
                planned.check_tests(models, model, schema, &mut problems);
            }
        }
        Ok((planned, problems))
    }

    /// Columns of the table, where they are known: name and type.
    pub fn columns(&self, full_name: &str) -> Option<Vec<(String, String)>> {
        let fields = self.schemas.get(full_name)?.fields();
        let column = |field: &Arc<Field>| (field.name().clone(), field.data_type().to_string());
        Some(fields.iter().map(column).collect())
    }

    fn add_sources(&mut self, models: &Models, compute: &Compute) -> Result<()> {
        let declared = models.sources().op.tables().map(|table| {
            let columns = table.columns.iter();
            let fields = columns.map(|c| Field::new(&c.name, of_cell(c.cell_type), c.nullable));
            (
                format!("{OP}.{}", table.name),
                fields.collect::<Vec<Field>>(),
            )
        });
        let stored = &models.sources().stored;
        let described = models.declared.iter();
        let described = described.filter(|(name, _)| !stored.contains_key(*name));
        let described = described.map(|(name, (_, columns))| {
            let fields = columns
                .iter()
                .map(|c| Field::new(&c.name, of_cell(c.cell_type), true));
            (name.clone(), fields.collect())
        });
        let fields = declared.chain(described);
        let tables = fields.map(|(name, fields)| (name, Arc::new(Schema::new(fields))));
        let stored = stored
            .iter()
            .map(|(name, columns)| (name.clone(), Arc::clone(columns)));
        for (name, columns) in tables.chain(stored) {
            let Some((schema, table)) = name.split_once('.') else {
                continue;
            };
            compute.register(schema, table, Arc::new(EmptyTable::new(columns.clone())))?;
            self.schemas.insert(name, columns);
        }
        Ok(())
    }

    fn check_tests(
        &self,
        models: &Models,
        model: &Model,
        schema: &SchemaRef,
        problems: &mut Vec<Problem>,
    ) {
        let Some(file) = &model.properties else {
            return;
        };
        for test in &model.tests {
            let mut wrong =
                |message: String, hint| problems.push(test.place.problem(file, message, hint));
            for column in test.rule.columns() {
                if schema.column_with_name(column).is_none() {
                    let message = format!("model `{}` has no column `{column}`", model.full_name());
                    wrong(message, did_you_mean(column, names(schema)));
                }
            }
            match &test.rule {
                Rule::Relationships { to, field, .. } => match self.schemas.get(to) {
                    Some(parent) if parent.column_with_name(field).is_none() => {
                        wrong(
                            format!("table `{to}` has no column `{field}`"),
                            did_you_mean(field, names(parent)),
                        );
                    }
                    None if !models.knows(to) => {
                        let known = models.known();
                        wrong(
                            format!("no table `{to}`"),
                            did_you_mean(to, known.iter().map(String::as_str)),
                        );
                    }
                    _ => {}
                },
                Rule::Expression(sql) => {
                    if let Err((message, hint)) = check_expression(sql, schema) {
                        wrong(message, hint);
                    }
                }
                _ => {}
            }
        }
    }
}

async fn plan_model(model: &Model, compute: &Compute) -> Result<(LogicalPlan, SchemaRef), Problem> {
    let planned = compute.plan_statement(model.query.clone()).await;
    let plan = planned.map_err(|error| {
        let (place, message, hint) = explain(error, Some(&model.query));
        place.problem(&model.path, message, hint)
    })?;
    let mut kept = kept_schema(plan.schema().as_arrow()).map_err(|error| {
        let hint = error.hint_text().map(str::to_owned);
        Place::default().problem(&model.path, error.to_string(), hint)
    })?;
    if model.header.materialized == Materialized::Scd2 {
        if let Some(own) = HISTORY
            .iter()
            .find(|own| kept.column_with_name(own.0).is_some())
        {
            let message = format!("column `{}` is one that an `scd2` model adds itself", own.0);
            return Err(Place::default().problem(
                &model.path,
                message,
                Some("give it another name".to_owned()),
            ));
        }
        let own = HISTORY
            .iter()
            .map(|(name, cell_type)| Field::new(*name, of_cell(*cell_type), true));
        let fields = kept.fields().iter().map(|field| field.as_ref().clone());
        kept = Schema::new(fields.chain(own).collect::<Vec<Field>>());
    }
    Ok((plan, Arc::new(kept)))
}

/// Columns that an `scd2` model adds.
pub(in crate::lake) const HISTORY: [(&str, crate::base::CellType); 4] = [
    ("valid_from", crate::base::CellType::Timestamp),
    ("valid_to", crate::base::CellType::Timestamp),
    ("is_current", crate::base::CellType::Boolean),
    ("version", crate::base::CellType::Integer),
];

/// Columns that header and description name must be there.
fn check_names(model: &Model, schema: &SchemaRef, problems: &mut Vec<Problem>) {
    let header = &model.header;
    let named = [
        ("unique_key", header.unique_key.as_slice()),
        ("partition_by", &header.partition_by),
        ("zorder_by", &header.zorder_by),
        ("since", header.since.as_slice()),
        ("valid_from", header.valid_from.as_slice()),
    ];
    for (key, columns) in named {
        for column in columns {
            if schema.column_with_name(column).is_none() {
                let message = format!("`{key}` names `{column}`, which the query does not select");
                let hint = did_you_mean(column, names(schema));
                problems.push(Place { line: 1, column: 0 }.problem(&model.path, message, hint));
            }
        }
    }
    let Some(file) = &model.properties else {
        return;
    };
    for column in &model.columns {
        if schema.column_with_name(&column.name).is_none() {
            let message = format!(
                "model `{}` has no column `{}`",
                model.full_name(),
                column.name
            );
            let hint = did_you_mean(&column.name, names(schema));
            problems.push(Place::default().problem(file, message, hint));
        }
    }
}

fn names(schema: &SchemaRef) -> impl Iterator<Item = &str> {
    schema.fields().iter().map(|field| field.name().as_str())
}

fn check_expression(sql: &str, schema: &SchemaRef) -> Result<(), (String, Option<String>)> {
    let plan = || {
        let schema = DFSchema::try_from(schema.as_ref().clone())?;
        let state = Compute::planner()
            .map_err(|error| DataFusionError::External(error.into()))?
            .state();
        state.create_logical_expr(sql, &schema)
    };
    match plan() {
        Ok(_) => Ok(()),
        Err(error) => {
            let (_, message, hint) = explain(error, None);
            Err((format!("expression `{sql}`: {message}"), hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::base::{CellType, Schema as Tables, Table, TableColumn};
    use crate::lake::model::Sources;

    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        let mut op = Tables::default();
        let column = |name: &str, cell_type| TableColumn {
            name: name.to_owned(),
            cell_type,
            nullable: true,
            has_default: false,
        };
        op.insert(Table {
            name: "visits".to_owned(),
            columns: vec![
                column("id", CellType::Integer),
                column("day", CellType::Date),
            ],
            key: vec!["id".to_owned()],
            foreign_keys: Vec::new(),
        });
        let sources = Sources {
            op,
            open: BTreeSet::from(["op.raw".to_owned()]),
            ..Sources::default()
        };
        let (models, mut problems) = Models::read(files.iter().copied(), sources);
        problems.extend(Planned::new(&models).expect("a planner").1);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn sound_models_are_sound() {
        let found = problems(&[
            (
                "models/silver/visits.sql",
                "SELECT id, day, CAST(id AS DECIMAL(9, 2)) AS cost FROM op.visits",
            ),
            ("models/silver/raw.sql", "SELECT anything FROM op.raw"),
            (
                "models/gold/days.sql",
                "-- unique_key: day\nSELECT day, count(*) AS n, sum(cost) AS cost FROM silver.visits GROUP BY day",
            ),
            (
                "models/models.yaml",
                "models:\n- name: days\n  columns:\n  - {name: n, tests: [not_null, {expression: {sql: \"n > 0\"}}]}\n",
            ),
        ]);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn functions_say_what_they_take() {
        let file = |name: &str, sql: &str| (format!("models/silver/{name}.sql"), sql.to_owned());
        let files = [
            file("a", "SELECT id,\n  upper(id, id) AS a\nFROM op.visits"),
            file("b", "SELECT sum('x') AS a,\n  sum(id) AS b FROM op.visits"),
            file("c", "SELECT stddev('x') AS a FROM op.visits"),
            file("d", "SELECT first_value() AS a FROM op.visits"),
            file("e", "SELECT round(id, 'a') AS a FROM op.visits"),
            file("f", "SELECT md5(1) AS a FROM op.visits"),
        ];
        let files = files
            .iter()
            .map(|(name, sql)| (name.as_str(), sql.as_str()));
        let cast = "hint: cast them, as in `CAST(x AS DOUBLE)`";
        assert_eq!(
            problems(&files.collect::<Vec<_>>()).join("\n"),
            format!(
                "models/silver/a.sql:2:3: function `upper` takes 1 arguments and is given 2\n\
                 models/silver/b.sql: function `sum` takes Decimal or UInt64 or Int64 or Float64 or Duration or Interval and is given String\n  {cast}\n\
                 models/silver/c.sql:1:8: function `stddev` does not take these arguments\n  {cast}\n\
                 models/silver/d.sql:1:8: function `first_value` does not take these arguments\n  {cast}\n\
                 models/silver/e.sql:1:8: function `round` does not take these arguments\n\
                 models/silver/f.sql:1:8: function `md5` takes String or Binary and is given Int64\n  {cast}"
            )
        );
    }

    #[test]
    fn mistakes_have_places_and_hints() {
        let found = problems(&[
            (
                "models/silver/a.sql",
                "SELECT id,\n  v.dey\nFROM op.visits v",
            ),
            ("models/silver/b.sql", "SELECT id, dya FROM op.visits"),
            (
                "models/silver/c.sql",
                "-- unique_key: idd\nSELECT id FROM op.visits",
            ),
            ("models/silver/d.sql", "SELECT id, id FROM op.visits"),
            (
                "models/silver/e.sql",
                "SELECT a.id FROM op.visits a JOIN op.visits b ON id = b.id",
            ),
            (
                "models/models.yaml",
                "models:\n- name: c\n  columns:\n  - {name: id, tests: [{relationships: {to: op.visits, field: ids}}]}\n",
            ),
        ]);
        let text = found.join("\n");
        for expected in [
            "models/silver/a.sql:2:3: no column `v.dey`\n  hint: did you mean `day`?",
            "models/silver/b.sql:1:12: no column `dya`\n  hint: did you mean `day`?",
            "models/silver/c.sql:1: `unique_key` names `idd`, which the query does not select\n  hint: did you mean `id`?",
            "models/silver/d.sql: two columns have the same name\n  hint: give one of them another name with `AS`",
            "models/silver/e.sql:1:50: column `id` is in more than one table",
            "models/models.yaml:4:24: table `op.visits` has no column `ids`\n  hint: did you mean `id`?",
        ] {
            assert!(text.contains(expected), "{expected}\nnot in\n{text}");
        }
        assert_eq!(found.len(), 6, "{text}");
    }
}
