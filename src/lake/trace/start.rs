//! The rows that a trace starts from.

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, lit, try_cast};
use datafusion::prelude::ident;

use super::held::Held;
use crate::base::{Error, Result, nearest};
use crate::lake::error::planning;
use crate::lake::model::{Materialized, OP, Rule};
use crate::lake::provenance::provenance;
use crate::lake::warehouse::{Warehouse, quoted};
use crate::records::key_parts;

/// Which rows are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowKey {
    /// Those with this key, its parts joined by `/` as in operational tables.
    Text(String),
    /// Those with these values in these columns.
    Columns(Vec<(String, String)>),
}

impl Warehouse {
    /// Holds the rows of `full_name` that `key` names.
    pub(super) async fn hold_start(
        &self,
        full_name: &str,
        key: &RowKey,
        held: &mut Held,
    ) -> Result<()> {
        let (schema, table) = full_name.split_once('.').unwrap_or_default();
        self.register(&held.compute, schema, table, None).await?;
        let name = self.row_name(full_name, held).await?;
        let all = format!("SELECT * FROM {}", quoted(full_name));
        let frame = held.compute.query(&all).await?;
        let fields: Vec<Field> = frame
            .schema()
            .fields()
            .iter()
            .map(|field| field.as_ref().clone())
            .collect();
        let filter = self
            .values(full_name, key)?
            .into_iter()
            .map(|(column, value)| equals(full_name, &fields, &column, &value))
            .collect::<Result<Vec<Expr>>>()?;
        let filter = filter.into_iter().reduce(Expr::and);
        let plan = || {
            LogicalPlanBuilder::from(frame.into_unoptimized_plan())
                .filter(filter.unwrap_or_else(|| lit(false)))?
                .project(name.iter().map(ident).collect::<Vec<Expr>>())?
                .distinct()?
                .build()
        };
        let rows = held.hold(full_name, plan().map_err(planning)?).await?;
        match rows {
            0 => Err(
                Error::new(format!("table `{full_name}` has no row with this key")).hint(format!(
                    "`galen export {} {full_name}` shows its rows",
                    self.dag_id
                )),
            ),
            _ => Ok(()),
        }
    }

    /// The columns that `key` names, with their values.
    fn values(&self, full_name: &str, key: &RowKey) -> Result<Vec<(String, String)>> {
        let text = match key {
            RowKey::Columns(columns) => return Ok(columns.clone()),
            RowKey::Text(text) => text,
        };
        let names = self.key_of(full_name);
        if names.is_empty() {
            return Err(Error::new(format!("table `{full_name}` has no key")).hint(
                "name its row by columns, as `--key column=value`; models have a key when their header says `unique_key`",
            ));
        }
        let parts = key_parts(text, names.len());
        if parts.len() != names.len() {
            return Err(Error::new(format!(
                "the key of table `{full_name}` has {} parts",
                names.len()
            ))
            .hint(format!("expected `{}`", names.join("/"))));
        }
        Ok(names.into_iter().zip(parts).collect())
    }

    /// The columns that name a row for a person: the model's `unique_key`, else those of its first test that they are unique.
    fn key_of(&self, full_name: &str) -> Vec<String> {
        let Some(model) = self.models.get(full_name) else {
            return Vec::new();
        };
        if !model.header.unique_key.is_empty() {
            return model.header.unique_key.clone();
        }
        let unique = model.tests.iter().find_map(|test| match &test.rule {
            Rule::Unique(columns) => Some(columns.clone()),
            _ => None,
        });
        unique.unwrap_or_default()
    }

    /// The columns that name a row of a table that is known to `held`, as good as can be: all of them where nothing else does.
    pub(super) async fn row_name(&self, full_name: &str, held: &Held) -> Result<Vec<String>> {
        if let Some(model) = self.models.get(full_name)
            && !model.header.unique_key.is_empty()
        {
            let mut name = model.header.unique_key.clone();
            if model.header.materialized == Materialized::Scd2 {
                name.push("version".to_owned());
            }
            return Ok(name);
        }
        let all = format!("SELECT * FROM {}", quoted(full_name));
        let frame = held.compute.query(&all).await?;
        let fields = frame.schema().fields().iter();
        // lists and structures cannot be compared
        let plain = fields.filter(|field| !field.data_type().is_nested());
        let all: Vec<String> = plain.map(|field| field.name().clone()).collect();
        if self.models.contains(full_name) {
            return Ok(all);
        }
        let origin = provenance().into_iter().map(|field| field.name().clone());
        let origin: Vec<String> = origin.collect();
        if origin.iter().all(|name| all.contains(name)) {
            return Ok(origin);
        }
        if let Some(table) = full_name.strip_prefix(&format!("{OP}."))
            && let Ok(table) = self.records.declared().await?.table(table)
            && !table.key.is_empty()
        {
            let own = ["_row_id", "_batch_id"].map(str::to_owned);
            let own = own.into_iter().filter(|name| all.contains(name));
            return Ok(table.key.iter().cloned().chain(own).collect());
        }
        Ok(all)
    }
}

/// That a column has the value that a person wrote.
fn equals(table: &str, fields: &[Field], column: &str, value: &str) -> Result<Expr> {
    let Some(field) = fields.iter().find(|field| field.name() == column) else {
        let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        let error = Error::new(format!("table `{table}` has no column `{column}`"));
        return Err(match nearest(column, names.iter().copied()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("columns: {}", names.join(", "))),
        });
    };
    let kind = match field.data_type() {
        DataType::Dictionary(_, values) => values.as_ref(),
        kind => kind,
    };
    Ok(ident(column).eq(try_cast(lit(value), kind.clone())))
}
