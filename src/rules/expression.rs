//! SQL expressions over a batch, and `uuid5(…)` around them.

use polars::prelude::*;
use polars::sql::sql_expr;
use uuid::Uuid;

use crate::base::{Error, Result};

/// Namespace of the keys that `uuid5(…)` makes: UUIDv5 of the URL namespace and the name `galen`.
pub const NAMESPACE: Uuid = Uuid::from_u128(0xc28f_faee_34ac_506b_8aea_8373_6e88_2aec);

/// An expression as written in a targets file: SQL over one row, or `uuid5(a, b, …)` of such.
#[derive(Debug, Clone)]
pub struct Expression {
    text: String,
    kind: Kind,
    columns: Vec<String>,
}

#[derive(Debug, Clone)]
enum Kind {
    Column(PlSmallStr),
    Sql(Expr),
    Uuid(Vec<Expression>),
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// When the text is not SQL, or looks at other rows than its own (an aggregate or a window), which would make the result
    /// depend on where batches are cut.
    pub fn parse(text: &str) -> Result<Self> {
        if let Some(arguments) = uuid_arguments(text)? {
            let arguments = arguments
                .into_iter()
                .map(Self::parse)
                .collect::<Result<Vec<_>>>()?;
            let mut columns: Vec<String> =
                arguments.iter().flat_map(|a| a.columns.clone()).collect();
            columns.sort();
            columns.dedup();
            return Ok(Self {
                text: text.to_owned(),
                kind: Kind::Uuid(arguments),
                columns,
            });
        }
        let expr = sql_expr(text).map_err(|error| {
            Error::new(format!(
                "`{text}` is not an SQL expression: {}",
                first_line(&error.to_string())
            ))
            .hint("names with blanks or signs stand in double quotes, text in single quotes")
        })?;
        refuse_other_rows(text, &expr)?;
        let mut columns: Vec<String> = expr
            .clone()
            .meta()
            .root_names()
            .into_iter()
            .map(|name| name.to_string())
            .collect();
        columns.sort();
        columns.dedup();
        let kind = match &expr {
            Expr::Column(name) => Kind::Column(name.clone()),
            _ => Kind::Sql(expr),
        };
        Ok(Self {
            text: text.to_owned(),
            kind,
            columns,
        })
    }

    /// The expression as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Columns it reads, sorted.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }
}

/// Evaluates expressions over `frame`; each result has the frame's height. One query however many expressions there are.
///
/// # Errors
/// When an expression does not fit the types of its columns or fails on a value. No value is in the message.
pub fn evaluate(frame: &DataFrame, expressions: &[&Expression]) -> Result<Vec<Column>> {
    let mut query = Vec::new();
    let mut plain = Vec::new();
    for expression in expressions {
        collect(expression, &mut query, &mut plain);
    }
    let mut computed = compute(frame, query, expressions)?.into_iter();
    let mut plain = plain.into_iter();
    expressions
        .iter()
        .map(|expression| assemble(expression, frame, &mut computed, &mut plain))
        .collect()
}

/// Gathers what must be computed, in the order in which [`assemble`] takes it back.
fn collect(expression: &Expression, query: &mut Vec<Expr>, plain: &mut Vec<PlSmallStr>) {
    match &expression.kind {
        Kind::Column(name) => plain.push(name.clone()),
        Kind::Sql(expr) => query.push(expr.clone().alias(format!("{}", query.len()))),
        Kind::Uuid(arguments) => arguments.iter().for_each(|a| collect(a, query, plain)),
    }
}

fn compute(
    frame: &DataFrame,
    query: Vec<Expr>,
    expressions: &[&Expression],
) -> Result<Vec<Column>> {
    if query.is_empty() {
        return Ok(Vec::new());
    }
    // the frame's columns ride along in none of the results; one of them only lends its height
    // a chunk is small: what an optimizer or a second thread could save is less than what asking them costs
    let lazy = frame
        .clone()
        .lazy()
        .with_optimizations(OptFlags::schema_only());
    let result = lazy.select_seq(query).collect();
    let result = result.map_err(|error| failed(frame, expressions, &error))?;
    Ok(result
        .columns()
        .iter()
        .map(|column| match column.len() == frame.height() {
            true => column.clone(),
            false => column.new_from_index(0, frame.height()),
        })
        .collect())
}

/// Polars may quote values in its message, so that it is passed on only when there was no row.
fn failed(frame: &DataFrame, expressions: &[&Expression], error: &PolarsError) -> Error {
    let texts: Vec<&str> = expressions.iter().map(|e| e.text()).collect();
    let text = texts.join("`, `");
    match frame.height() {
        0 => Error::new(format!(
            "`{text}` cannot be evaluated: {}",
            first_line(&error.to_string())
        )),
        _ => Error::new(format!("`{text}` failed on a value of the batch"))
            .hint("TRY_CAST gives null where CAST fails"),
    }
}

fn assemble(
    expression: &Expression,
    frame: &DataFrame,
    computed: &mut impl Iterator<Item = Column>,
    plain: &mut impl Iterator<Item = PlSmallStr>,
) -> Result<Column> {
    let missing = || Error::new(format!("`{}` gave no result", expression.text));
    match &expression.kind {
        Kind::Column(_) => {
            let name = plain.next().ok_or_else(missing)?;
            frame
                .column(&name)
                .cloned()
                .map_err(|_| Error::new(format!("column `{name}` does not exist")))
        }
        Kind::Sql(_) => computed.next().ok_or_else(missing),
        Kind::Uuid(arguments) => {
            let parts = arguments
                .iter()
                .map(|a| assemble(a, frame, computed, plain).and_then(|c| as_text(&c)))
                .collect::<Result<Vec<_>>>()?;
            Ok(uuids(&parts, frame.height()).into_column())
        }
    }
}

/// A column as text; every value is written as [`crate::base::Cell`] writes it.
///
/// # Errors
/// When the column's type has no text form.
pub fn as_text(column: &Column) -> Result<StringChunked> {
    let cast = column.cast(&DataType::String).map_err(|_| {
        Error::new(format!(
            "a column of type {} has no text form",
            column.dtype()
        ))
    })?;
    let text = cast
        .str()
        .map_err(|e| Error::new("expected text").because(e))?;
    Ok(text.clone())
}

fn uuids(parts: &[StringChunked], height: usize) -> StringChunked {
    let mut columns: Vec<_> = parts.iter().map(|part| part.iter()).collect();
    let mut name = String::new();
    let mut key = [0u8; 36];
    let mut builder = StringChunkedBuilder::new(PlSmallStr::EMPTY, height);
    for _ in 0..height {
        name.clear();
        let mut whole = true;
        for (index, column) in columns.iter_mut().enumerate() {
            if index > 0 {
                name.push('/');
            }
            match column.next().flatten() {
                Some(text) => push_escaped(&mut name, text),
                None => whole = false,
            }
        }
        match whole {
            true => {
                let uuid = Uuid::new_v5(&NAMESPACE, name.as_bytes());
                let text: &str = uuid.hyphenated().encode_lower(&mut key);
                builder.append_value(text);
            }
            false => builder.append_null(),
        }
    }
    builder.finish()
}

/// The key that `uuid5(parts…)` makes: UUIDv5 in [`NAMESPACE`] of the parts joined by `/`, with `\` and `/` inside a part
/// written `\\` and `\/`. In an expression a null part makes a null key.
pub fn uuid5(parts: &[&str]) -> Uuid {
    let mut name = String::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            name.push('/');
        }
        push_escaped(&mut name, part);
    }
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}

fn push_escaped(name: &mut String, part: &str) {
    if !part.contains(['/', '\\']) {
        return name.push_str(part);
    }
    for c in part.chars() {
        if matches!(c, '/' | '\\') {
            name.push('\\');
        }
        name.push(c);
    }
}

/// The arguments when the whole text is one call of `uuid5`.
fn uuid_arguments(text: &str) -> Result<Option<Vec<&str>>> {
    let text = text.trim();
    let is_call = text
        .get(..6)
        .is_some_and(|start| start.eq_ignore_ascii_case("uuid5("));
    if !is_call {
        return Ok(None);
    }
    let misplaced = || {
        Error::new(format!("`{text}` has text after its `uuid5(…)`"))
            .hint("`uuid5(…)` stands alone; give it a column of its own with a `set` step")
    };
    let inside = text[6..].strip_suffix(')').ok_or_else(misplaced)?;
    let (mut depth, mut quote, mut start) = (0usize, None, 0);
    let mut arguments = Vec::new();
    for (at, c) in inside.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.checked_sub(1).ok_or_else(misplaced)?,
            (None, ',') if depth == 0 => {
                arguments.push(inside[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    arguments.push(inside[start..].trim());
    match arguments.iter().any(|argument| argument.is_empty()) {
        true => Err(Error::new(format!("`{text}` has an empty argument"))),
        false => Ok(Some(arguments)),
    }
}

fn refuse_other_rows(text: &str, expr: &Expr) -> Result<()> {
    let sees_one_row = |expr: &Expr| {
        // the list of `IN (…)` is an implosion of constants
        if let Expr::Agg(AggExpr::Implode { input, .. }) = expr {
            return matches!(**input, Expr::Literal(_));
        }
        matches!(
            expr,
            Expr::Alias(..)
                | Expr::Column(_)
                | Expr::Literal(_)
                | Expr::BinaryExpr { .. }
                | Expr::Cast { .. }
                | Expr::Ternary { .. }
                | Expr::Function { .. }
        )
    };
    match expr.into_iter().all(sees_one_row) {
        true => Ok(()),
        false => Err(
            Error::new(format!("`{text}` looks at other rows than its own"))
                .hint("expressions see one row; aggregates belong in a model"),
        ),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> DataFrame {
        df!("id" => ["a", "b/c"], "n" => [Some(1i64), None]).expect("frame")
    }

    fn texts(expression: &str) -> Vec<Option<String>> {
        let expression = Expression::parse(expression).expect("parses");
        let column = evaluate(&frame(), &[&expression])
            .expect("evaluates")
            .remove(0);
        let text = as_text(&column).expect("text");
        text.iter().map(|t| t.map(str::to_owned)).collect()
    }

    #[test]
    fn the_namespace_is_what_it_says() {
        assert_eq!(NAMESPACE, Uuid::new_v5(&Uuid::NAMESPACE_URL, b"galen"));
    }

    #[test]
    fn keys_are_uuids_of_the_parts_and_null_when_a_part_is() {
        let keys = texts("uuid5('x', id, n)");
        assert_eq!(
            keys[0].as_deref(),
            Some(uuid5(&["x", "a", "1"]).to_string().as_str())
        );
        assert_eq!(keys[1], None);
        assert_eq!(
            texts("uuid5(id)")[1].as_deref(),
            Some(Uuid::new_v5(&NAMESPACE, b"b\\/c").to_string().as_str())
        );
        assert_ne!(uuid5(&["a/b"]), uuid5(&["a", "b"]));
    }

    #[test]
    fn a_constant_fills_the_column() {
        assert_eq!(texts("'k'"), [Some("k".to_owned()), Some("k".to_owned())]);
    }

    #[test]
    fn reads_commas_inside_calls_and_text() {
        let expression = Expression::parse("uuid5(COALESCE(id, 'a,b'), n)").expect("parses");
        assert_eq!(expression.columns(), ["id", "n"]);
        assert!(Expression::parse("id IN ('a', 'b') OR id IS NULL").is_ok());
    }

    #[test]
    fn a_list_of_constants_is_no_other_row() {
        let some = |texts: [&str; 2]| texts.map(|text| Some(text.to_owned())).to_vec();
        for (expression, expected) in [
            ("id IN ('a','F')", ["true", "false"]),
            ("id NOT IN ('a')", ["false", "true"]),
            ("UPPER(id) IN ('B/C', 'D')", ["false", "true"]),
            ("COALESCE(n, 7) IN (1, -1)", ["true", "false"]),
            (
                "CASE WHEN id IN ('a','F') THEN 'x' ELSE 'y' END",
                ["x", "y"],
            ),
        ] {
            assert_eq!(texts(expression), some(expected), "{expression}");
        }
    }

    #[test]
    fn refuses_what_depends_on_the_batch() {
        for text in ["MAX(n)", "COUNT(*)", "SUM(n) OVER (PARTITION BY id)"] {
            let error = Expression::parse(text).expect_err(text);
            assert!(error.to_string().contains("other rows"), "{error}");
        }
        assert!(Expression::parse("a +").is_err());
        assert!(Expression::parse("uuid5(a) || 'x'").is_err());
        assert!(Expression::parse("uuid5(a,)").is_err());
    }

    #[test]
    fn an_error_on_values_does_not_show_them() {
        let expression = Expression::parse("CAST(id AS BIGINT)").expect("parses");
        let error = evaluate(&frame(), &[&expression]).expect_err("fails");
        assert!(!error.to_string().contains("b/c"), "{error}");
    }
}
