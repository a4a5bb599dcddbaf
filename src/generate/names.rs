//! What a name in `generate.yaml` stands for: a column here or above, or a column of a picked line.

use super::columns::{Checked, Columns};
use super::compile::unknown;
use super::plan::{Kind, Source};

impl Columns<'_, '_> {
    /// The place of this table's column called `name`.
    pub fn own(&self, name: &str) -> Checked<usize> {
        self.column_of(self.table, name)
    }

    pub(super) fn date_column(&self, path: &str) -> Checked<Source> {
        let source = self.source(path)?;
        let column = &self.compiler.plan.tables[source.table].columns[source.column];
        match column.kind {
            Kind::Date(..) => Ok(source),
            _ => Err(format!("column `{path}` is not a `date`")),
        }
    }

    pub(super) fn daily(&self, what: &str) -> Checked<()> {
        if self.compiler.plan.tables[self.table].daily {
            Ok(())
        } else {
            Err(format!(
                "{what} cannot be used in a table with `each: once`"
            ))
        }
    }

    fn column_of(&self, table: usize, name: &str) -> Checked<usize> {
        let columns = &self.compiler.plan.tables[table].columns;
        let place = columns.iter().position(|column| column.name == name);
        place.ok_or_else(|| {
            let names = columns.iter().map(|column| column.name.as_str());
            unknown("column", name, names)
        })
    }

    /// Finds `column`, `column.field`, `table.column` or `table.column.field`.
    pub(super) fn source(&self, path: &str) -> Checked<Source> {
        let mut names: Vec<&str> = path.split('.').collect();
        let above = |name: &str| {
            let tables = &self.compiler.plan.tables;
            std::iter::successors(tables[self.table].parent, |&place| tables[place].parent)
                .find(|&place| tables[place].name == name)
        };
        let table = match (names.len() > 1).then(|| above(names[0])).flatten() {
            Some(table) => {
                names.remove(0);
                table
            }
            None => self.table,
        };
        let column = self.column_of(table, names[0])?;
        let field = match names[1..] {
            [] => None,
            [field] => Some(self.field(table, column, field)?),
            _ => return Err(format!("`{path}` has too many parts")),
        };
        Ok(Source {
            table,
            column,
            field,
        })
    }

    /// A [`Self::source`] that has one value, which a `sample` has not.
    pub(super) fn value(&self, path: &str) -> Checked<Source> {
        let source = self.source(path)?;
        let column = &self.compiler.plan.tables[source.table].columns[source.column];
        match column.kind {
            Kind::Sample(..) => Err(format!(
                "column `{path}` is a `sample`, which only `list` can write"
            )),
            _ => Ok(source),
        }
    }

    fn list_of(&self, table: usize, column: usize) -> Option<usize> {
        match &self.compiler.plan.tables[table].columns[column].kind {
            Kind::Pick(list, _) | Kind::Sample(list, ..) | Kind::Nth(list, _) => Some(*list),
            _ => None,
        }
    }

    fn field(&self, table: usize, column: usize, name: &str) -> Checked<usize> {
        let Some(list) = self.list_of(table, column) else {
            let column = &self.compiler.plan.tables[table].columns[column].name;
            return Err(format!(
                "column `{column}` is no `pick`, `sample` or `reference` and has no `{name}`"
            ));
        };
        let fields = self.compiler.fields(list);
        let place = fields.iter().position(|field| field == name);
        place.ok_or_else(|| unknown("column", name, fields.iter().map(String::as_str)))
    }
}
