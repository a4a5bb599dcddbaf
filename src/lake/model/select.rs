//! Choosing models as dbt does.

use std::collections::BTreeSet;

use super::{LAYERS, Models};
use crate::base::{Error, Result, nearest};

/// Full names of the models that `selector` names: `name`, `layer.name`, `tag:x`, `layer:gold`, each with a `+` before it (and what it
/// needs) or after it (and what needs it); several separated by commas or spaces.
///
/// # Errors
/// A name, tag or layer that no model has; nothing selected.
pub fn select(models: &Models, selector: &str) -> Result<BTreeSet<String>> {
    let mut selected = BTreeSet::new();
    for part in selector.split([',', ' ']).filter(|part| !part.is_empty()) {
        let name = part.strip_prefix('+').unwrap_or(part);
        let name = name.strip_suffix('+').unwrap_or(name);
        for found in named(models, name)? {
            if part.starts_with('+') {
                selected.extend(models.needed(&found));
            }
            if part.ends_with('+') {
                selected.extend(models.needing(&found));
            }
            selected.insert(found);
        }
    }
    if selected.is_empty() {
        return Err(Error::new("the selection names no model").hint(
            "write a model, `+model` (and what it needs), `model+` (and what needs it), `tag:x` or `layer:gold`",
        ));
    }
    Ok(selected)
}

fn named(models: &Models, name: &str) -> Result<Vec<String>> {
    if let Some(tag) = name.strip_prefix("tag:") {
        let tagged = models
            .iter()
            .filter(|model| model.header.tags.iter().any(|own| own == tag));
        let found: Vec<String> = tagged.map(|model| model.full_name()).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let tags = models.iter().flat_map(|model| model.header.tags.iter());
        let error = Error::new(format!("no model has the tag `{tag}`"));
        return Err(match nearest(tag, tags.map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean `tag:{near}`?")),
            None => error,
        });
    }
    if let Some(layer) = name.strip_prefix("layer:") {
        let inside = models.iter().filter(|model| model.layer == layer);
        let found: Vec<String> = inside.map(|model| model.full_name()).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        return Err(Error::new(format!("no model is in layer `{layer}`"))
            .hint(format!("layers: {}", LAYERS.join(", "))));
    }
    let alike: Vec<String> = models
        .iter()
        .filter(|model| model.name == name || model.full_name() == name)
        .map(|model| model.full_name())
        .collect();
    match alike.is_empty() {
        false => Ok(alike),
        true => models.model(name).map(|model| vec![model.full_name()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::model::Sources;

    fn models() -> Models {
        let files = [
            ("models/silver/a.sql", "SELECT 1 AS x"),
            (
                "models/core/b.sql",
                "-- tags: [daily]\nSELECT x FROM silver.a",
            ),
            ("models/gold/c.sql", "SELECT x FROM core.b"),
            ("models/gold/d.sql", "SELECT x FROM silver.a"),
        ];
        let (models, problems) = Models::read(files.into_iter(), Sources::default());
        assert_eq!(problems, []);
        models
    }

    #[test]
    fn selects_as_dbt_does() {
        let models = models();
        let names = |text: &str| {
            let found = select(&models, text).expect(text);
            found.into_iter().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names("b"), "core.b");
        assert_eq!(names("+gold.c"), "core.b gold.c silver.a");
        assert_eq!(names("b+"), "core.b gold.c");
        assert_eq!(names("tag:daily+, d"), "core.b gold.c gold.d");
        assert_eq!(names("layer:gold"), "gold.c gold.d");
        for wrong in ["", "e_f_g", "tag:dayly", "layer:golf"] {
            assert!(select(&models, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn cycles_and_strangers_have_places() {
        let files = [
            ("models/silver/a.sql", "SELECT x\nFROM gold.c"),
            ("models/core/b.sql", "SELECT x FROM silver.a"),
            (
                "models/gold/c.sql",
                "SELECT x FROM core.b JOIN silver.aa ON true",
            ),
            ("models/gold/d.sql", "SELECT x FROM a"),
        ];
        let (_, problems) = Models::read(files.into_iter(), Sources::default());
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let expected = [
            "models/gold/c.sql:1:27: no table `silver.aa`\n  hint: did you mean `silver.a`?",
            "models/gold/d.sql:1:15: table `a` is named without its schema\n  hint: name it with its schema, as `silver.a`",
            "models/core/b.sql:1:15: models form a cycle: `core.b` reads `silver.a` reads `gold.c` reads `core.b`\n  \
             hint: a model cannot need its own result; split one of them",
        ];
        assert_eq!(texts, expected);
    }
}
