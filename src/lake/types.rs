//! Which types columns have: those of operational tables, and those that a Delta table keeps.

use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};

use crate::base::{CellType, Error, Result};

/// Of an operational column.
pub(super) fn of_cell(cell_type: CellType) -> DataType {
    match cell_type {
        CellType::Text => DataType::Utf8,
        CellType::Integer => DataType::Int64,
        CellType::Float => DataType::Float64,
        CellType::Boolean => DataType::Boolean,
        CellType::Date => DataType::Date32,
        CellType::Timestamp => instant(),
    }
}

/// An instant, to the microsecond.
pub(super) fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The type under which a Delta table keeps values of `given`, nothing lost; `None` when there is none.
pub(super) fn kept(given: &DataType) -> Option<DataType> {
    Some(match given {
        DataType::Utf8View | DataType::LargeUtf8 | DataType::Utf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary | DataType::Binary => DataType::Binary,
        DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Date64 => DataType::Date32,
        DataType::Timestamp(..) => instant(),
        DataType::Dictionary(_, values) => kept(values)?,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Decimal256(precision, scale) if *precision <= 38 => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::List(item) | DataType::LargeList(item) | DataType::ListView(item) => {
            DataType::List(Field::new("item", kept(item.data_type())?, true).into())
        }
        DataType::Struct(fields) => {
            let fields = fields
                .iter()
                .map(|field| Some(Field::new(field.name(), kept(field.data_type())?, true)));
            DataType::Struct(fields.collect::<Option<Vec<Field>>>()?.into())
        }
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Date32
        | DataType::Decimal128(..) => given.clone(),
        _ => return None,
    })
}

/// The columns that a Delta table keeps of rows with `schema`; every column can be null.
///
/// # Errors
/// A name given twice; a column of a type that cannot be kept.
pub(super) fn kept_schema(schema: &Schema) -> Result<Schema> {
    let mut fields: Vec<Field> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let name = field.name();
        if fields
            .iter()
            .any(|other| other.name().eq_ignore_ascii_case(name))
        {
            return Err(Error::new(format!("column `{name}` is selected twice"))
                .hint("give one of them another name with `AS`"));
        }
        if *field.data_type() == DataType::Null {
            return Err(Error::new(format!(
                "column `{name}` is always null, so that it has no type"
            ))
            .hint(format!("say which, as `CAST(NULL AS TEXT) AS {name}`")));
        }
        let data_type = kept(field.data_type()).ok_or_else(|| {
            Error::new(format!(
                "column `{name}` has type `{}`, which a Delta table cannot keep",
                field.data_type()
            ))
            .hint("cast it, for example to TEXT or BIGINT")
        })?;
        fields.push(Field::new(name, data_type, true));
    }
    Ok(Schema::new(fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_stays_money() {
        let money = DataType::Decimal128(12, 2);
        assert_eq!(kept(&money), Some(money));
        assert_eq!(kept(&DataType::Decimal256(76, 2)), None);
        assert_eq!(kept(&DataType::UInt64), Some(DataType::Int64));
    }

    #[test]
    fn columns_need_a_name_and_a_type_of_their_own() {
        let field = |name: &str, kind| Field::new(name, kind, false);
        let twice = Schema::new(vec![
            field("a", DataType::Int64),
            field("A", DataType::Int64),
        ]);
        assert!(
            kept_schema(&twice)
                .expect_err("twice")
                .to_string()
                .contains("`A`")
        );
        let null = Schema::new(vec![field("n", DataType::Null)]);
        assert!(kept_schema(&null).is_err());
    }
}
