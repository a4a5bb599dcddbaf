//! What must be built before a model is built and tested.

use std::collections::{BTreeMap, BTreeSet};

use super::{Models, Rule};

impl Models {
    /// For each model, by full name, the models that come before it: those it reads, and those its tests look into. A test that looks into
    /// a model which itself comes after has to do with that model as it was before.
    pub fn before(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let names = self.models.keys().map(String::as_str);
        let mut before: BTreeMap<&str, BTreeSet<&str>> = names
            .map(|name| (name, self.upstream(name).collect()))
            .collect();
        for (name, model) in &self.models {
            let tests = model.tests.iter();
            let looked_into = tests.filter_map(|test| match &test.rule {
                Rule::Relationships { to, .. } => self.models.get_key_value(to),
                _ => None,
            });
            for (other, _) in looked_into {
                if !comes_before(name, other, &before) {
                    before.entry(name).or_default().insert(other);
                }
            }
        }
        before
    }
}

/// Whether `first` is `last`, or comes before it by way of others.
fn comes_before(first: &str, last: &str, before: &BTreeMap<&str, BTreeSet<&str>>) -> bool {
    let mut queue = vec![last];
    let mut seen = BTreeSet::new();
    while let Some(name) = queue.pop() {
        if name == first {
            return true;
        }
        if seen.insert(name) {
            queue.extend(before.get(name).into_iter().flatten());
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::Sources;

    #[test]
    fn tests_wait_for_what_they_look_into_and_never_for_each_other() {
        let text = "models:\n\
            - name: a\n  columns: [{name: x, tests: [{relationships: {to: silver.b, field: x}}]}]\n\
            - name: b\n  columns: [{name: x, tests: [{relationships: {to: silver.a, field: x}}]}]\n\
            - name: c\n  columns: [{name: x, tests: [{relationships: {to: silver.d, field: x}}]}]\n";
        let files = [
            ("models/silver/a.sql", "SELECT 1 AS x"),
            ("models/silver/b.sql", "SELECT 1 AS x"),
            ("models/silver/c.sql", "SELECT 1 AS x"),
            ("models/silver/d.sql", "SELECT x FROM silver.c"),
            ("models/models.yaml", text),
        ];
        let (models, problems) = Models::read(files.into_iter(), Sources::default());
        assert_eq!(problems, []);
        let before = models.before();
        let of = |name: &str| before[name].iter().copied().collect::<Vec<_>>();
        assert_eq!(of("silver.a"), ["silver.b"]);
        assert_eq!(of("silver.b"), [""; 0]);
        assert_eq!(of("silver.c"), [""; 0]);
        assert_eq!(of("silver.d"), ["silver.c"]);
    }
}
