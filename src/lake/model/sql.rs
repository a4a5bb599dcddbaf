//! The SQL of a model: exactly one query, and the tables it reads.

use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::{
    Expr, ObjectName, Spanned, Statement as Ast, visit_expressions, visit_relations,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;

use crate::base::Place;

/// The template that an incremental model may hold.
const SINCE: &str = "since";

/// Functions of the engine that stand where a table can.
const FUNCTIONS: [&str; 2] = ["generate_series", "range"];

/// A table that a query names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    /// `None` when the query names the table alone.
    pub schema: Option<String>,
    pub table: String,
    /// Where it is named first.
    pub place: Place,
}

impl TableName {
    /// As messages name it.
    pub fn full(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.table),
            None => self.table.clone(),
        }
    }
}

/// The one query in `sql` and the tables it reads, in the order of names.
///
/// # Errors
/// The place and what is wrong there.
pub fn parse_query(sql: &str) -> Result<(Statement, Vec<TableName>), (Place, String)> {
    let parsed = DFParserBuilder::new(sql)
        .with_dialect(&GenericDialect {})
        .build()
        .and_then(|mut parser| parser.parse_statements());
    let mut statements = parsed.map_err(|error| syntax(&error.strip_backtrace()))?;
    let nowhere = |message: &str| (Place::default(), message.to_owned());
    let statement = match (statements.pop_front(), statements.front()) {
        (None, _) => return Err(nowhere("the file holds no query, expected one SELECT")),
        (Some(_), Some(second)) => {
            let message = "a second statement starts here, expected one SELECT";
            return Err((start(second), message.to_owned()));
        }
        (Some(statement), None) => statement,
    };
    let Statement::Statement(ast) = &statement else {
        return Err(nowhere("expected a SELECT"));
    };
    if !matches!(**ast, Ast::Query(_)) {
        return Err(nowhere("expected a SELECT, which changes nothing"));
    }
    let mentions = mentions(ast);
    let (tables, _) = resolve_table_references(&statement, true)
        .map_err(|error| syntax(&error.strip_backtrace()))?;
    let names = tables
        .into_iter()
        .filter(|table| table.schema().is_some() || !FUNCTIONS.contains(&table.table()))
        .map(|table| {
            let schema = table.schema().map(str::to_owned);
            let table = table.table().to_owned();
            let place = mentions
                .iter()
                .find(|(s, t, _)| *s == schema && *t == table)
                .map_or(Place::default(), |(.., place)| *place);
            TableName {
                schema,
                table,
                place,
            }
        })
        .collect();
    Ok((statement, names))
}

/// Where `query` calls `function`, when it does so in one place.
pub fn only_call(query: &Statement, function: &str) -> Option<Place> {
    let Statement::Statement(ast) = query else {
        return None;
    };
    let mut places = Vec::new();
    let _ = visit_expressions(ast, |expression: &Expr| {
        if let Expr::Function(call) = expression
            && let Some(name) = call.name.0.last().and_then(|part| part.as_ident())
            && name.value.eq_ignore_ascii_case(function)
        {
            let start = name.span.start;
            places.push(Place::new(start.line, start.column));
        }
        ControlFlow::<()>::Continue(())
    });
    match places.as_slice() {
        [place] => Some(*place),
        _ => None,
    }
}

fn start(statement: &Statement) -> Place {
    match statement {
        Statement::Statement(ast) => {
            let start = ast.span().start;
            Place::new(start.line, start.column)
        }
        _ => Place::default(),
    }
}

/// Every name that stands where a table can, with its place.
fn mentions(ast: &Ast) -> Vec<(Option<String>, String, Place)> {
    let mut found = Vec::new();
    let _ = visit_relations(ast, |name: &ObjectName| {
        let idents: Vec<_> = name.0.iter().filter_map(|part| part.as_ident()).collect();
        let text = |at: usize| {
            idents.get(at).map(|ident| match ident.quote_style {
                Some(_) => ident.value.clone(),
                None => ident.value.to_lowercase(),
            })
        };
        if let Some(first) = idents.first() {
            let start = first.span.start;
            let place = Place::new(start.line, start.column);
            let (schema, table) = match idents.len() {
                1 => (None, text(0)),
                count => (text(count - 2), text(count - 1)),
            };
            found.extend(table.map(|table| (schema, table, place)));
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

/// Place and message of an error of the parser, which writes the place at the end of its text.
fn syntax(text: &str) -> (Place, String) {
    let text = super::super::error::first_line(text);
    let text = text
        .trim_start_matches("parserError(\"")
        .trim_start_matches("ParserError(\"")
        .trim_end_matches("\")");
    let Some((message, at)) = text.split_once(" at Line: ") else {
        return (Place::default(), text.to_owned());
    };
    let mut numbers = at
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok());
    let place = Place::new(numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    (place, super::super::error::first_line(message))
}

/// `sql` with `literal` in the place of every `{{ since }}`, and whether there was one. Places after it on its line stay where they are
/// as long as the literal is not longer.
///
/// # Errors
/// The place of any other template.
pub fn render_since(sql: &str, literal: &str) -> Result<(String, bool), (Place, String)> {
    let mut rendered = String::with_capacity(sql.len());
    let mut rest = sql;
    let mut found = false;
    while let Some(start) = rest.find("{{") {
        let before = sql.len() - rest.len() + start;
        let place = || {
            let line_start = sql[..before].rfind('\n').map_or(0, |at| at + 1);
            let line = sql[..before].matches('\n').count() as u64 + 1;
            Place::new(line, sql[line_start..before].chars().count() as u64 + 1)
        };
        let Some(length) = rest[start..].find("}}") else {
            return Err((
                place(),
                "a template is not closed, expected `}}`".to_owned(),
            ));
        };
        let name = rest[start + 2..start + length].trim();
        if name != SINCE {
            return Err((
                place(),
                format!("template names `{name}`, expected `{{{{ {SINCE} }}}}`"),
            ));
        }
        rendered.push_str(&rest[..start]);
        let width = length + 2;
        rendered.push_str(&format!("{literal:<width$}"));
        rest = &rest[start + width..];
        found = true;
    }
    rendered.push_str(rest);
    Ok((rendered, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(sql: &str) -> Vec<String> {
        let (_, tables) = parse_query(sql).expect("a query");
        tables.iter().map(TableName::full).collect()
    }

    #[test]
    fn tables_are_read_from_the_query_not_from_its_text() {
        let sql = "WITH x AS (SELECT * FROM op.visits) -- FROM op.nothing
            SELECT 'FROM op.text', y.* FROM x JOIN \"Silver\".y ON true
            WHERE EXISTS (SELECT 1 FROM core.z WHERE z.a = x.a)";
        assert_eq!(names(sql), ["Silver.y", "core.z", "op.visits"]);
        assert_eq!(names("SELECT value FROM generate_series(1, 3)"), [""; 0]);
        let (_, tables) = parse_query("SELECT *\nFROM  OP.Visits v").expect("a query");
        assert_eq!(tables[0].full(), "op.visits");
        assert_eq!(tables[0].place, Place { line: 2, column: 7 });
    }

    #[test]
    fn only_one_query_is_taken() {
        for sql in [
            "",
            "SELECT 1; SELECT 2",
            "DROP TABLE x",
            "INSERT INTO a SELECT 1",
        ] {
            assert!(parse_query(sql).is_err(), "{sql}");
        }
        let (place, message) = parse_query("SELECT a\nFROM b WHERE WHERE c").expect_err("syntax");
        assert_eq!(place.line, 2, "{message}");
    }

    #[test]
    fn since_keeps_places() {
        let (sql, found) = render_since("a >= {{ since }} AND", "NULL").expect("rendered");
        assert!(found);
        assert_eq!(sql, "a >= NULL        AND");
        assert_eq!(
            render_since("x\n {{ ds }}", "").expect_err("name").0,
            Place { line: 2, column: 2 }
        );
    }
}
