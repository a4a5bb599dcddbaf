//! From the specification as written to the definition as used: defaults filled in, texts read, every mistake reported.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, Utc};
use chrono_tz::Tz;

use super::report::Report;
use super::spec::{
    DagSpec, HookSpec, ParamMap, ParamSpec, ScheduleMap, ScheduleSpec, TaskArgs, TaskSpec,
};
use super::{Dag, Hook, Param, ParamType, Task};
use crate::base::yaml::escape;
use crate::base::{DagId, Error, TaskId, TriggerRule, nearest, parse_duration};
use crate::schedule::{Cron, Schedule, midnight};

/// Runs of one DAG at the same time when the file says nothing, as in Airflow.
const MAX_ACTIVE_RUNS: u32 = 16;
const RETRY_DELAY: Duration = Duration::from_secs(300);
const POOL: &str = "default_pool";

/// The definition that `spec` means. What is wrong goes to `report` and a default takes its place, so that the rest can still
/// be checked.
pub fn build(spec: DagSpec, report: &mut Report<'_>) -> Dag {
    check_args("/default_args", &spec.default_args, report);
    let mut tasks = Vec::with_capacity(spec.tasks.len());
    for (index, task) in spec.tasks.into_iter().enumerate() {
        tasks.push(build_task(index, task, &spec.default_args, report));
    }
    Dag {
        dag_id: DagId::new(spec.dag_id),
        description: spec.description,
        owner: spec.owner,
        tags: spec.tags,
        schedule: spec
            .schedule
            .and_then(|schedule| build_schedule(schedule, report)),
        max_active_runs: spec.max_active_runs.unwrap_or(MAX_ACTIVE_RUNS),
        max_active_tasks: spec.max_active_tasks,
        dagrun_timeout: limit("/dagrun_timeout", spec.dagrun_timeout.as_deref(), report),
        dag_retries: spec.dag_retries,
        params: build_params(spec.params, report),
        tables: spec.tables,
        tasks,
        on_failure: spec.on_failure.map(hook),
        on_success: spec.on_success.map(hook),
    }
}

fn build_task(index: usize, spec: TaskSpec, defaults: &TaskArgs, report: &mut Report<'_>) -> Task {
    check_args(&format!("/tasks/{index}"), &spec.args, report);
    let args = spec.args.or(defaults);
    let read = |text: Option<String>| text.and_then(|text| parse_duration(&text).ok());
    Task {
        task_id: TaskId::new(spec.task_id),
        operator: spec.operator,
        description: spec.description,
        depends_on: spec.depends_on.into_iter().map(TaskId::new).collect(),
        trigger_rule: args.trigger_rule.unwrap_or(TriggerRule::AllSuccess),
        when: spec.when,
        pool: args.pool.unwrap_or_else(|| POOL.to_owned()),
        pool_slots: args.pool_slots.unwrap_or(1),
        priority_weight: args.priority_weight.unwrap_or(1),
        retries: args.retries.unwrap_or(0),
        retry_delay: read(args.retry_delay).unwrap_or(RETRY_DELAY),
        retry_exponential_backoff: args.retry_exponential_backoff.unwrap_or(false),
        max_retry_delay: read(args.max_retry_delay),
        execution_timeout: read(args.execution_timeout),
        with: spec.with.into(),
        on_failure: args.on_failure.map(hook),
        on_success: args.on_success.map(hook),
    }
}

fn hook(spec: HookSpec) -> Hook {
    Hook {
        operator: spec.operator,
        with: spec.with.into(),
    }
}

/// Durations where they are written, so that a mistake in `default_args` is told once and at its place.
fn check_args(base: &str, args: &TaskArgs, report: &mut Report<'_>) {
    if let Some(Err(message)) = args.retry_delay.as_deref().map(parse_duration) {
        report.message(&format!("{base}/retry_delay"), message);
    }
    limit(
        &format!("{base}/max_retry_delay"),
        args.max_retry_delay.as_deref(),
        report,
    );
    limit(
        &format!("{base}/execution_timeout"),
        args.execution_timeout.as_deref(),
        report,
    );
}

/// A duration that something must not exceed.
fn limit(pointer: &str, text: Option<&str>, report: &mut Report<'_>) -> Option<Duration> {
    match parse_duration(text?) {
        Ok(Duration::ZERO) => {
            let error = Error::new("a limit of `0s` leaves no time, expected more");
            report.error(pointer, &error.hint("leave it out for no limit"));
            None
        }
        Ok(duration) => Some(duration),
        Err(message) => {
            report.message(pointer, message);
            None
        }
    }
}

fn build_schedule(spec: ScheduleSpec, report: &mut Report<'_>) -> Option<Schedule> {
    let (map, base) = match spec {
        ScheduleSpec::Cron(cron) => (
            ScheduleMap {
                cron,
                ..ScheduleMap::default()
            },
            "",
        ),
        ScheduleSpec::Map(map) => (map, "/cron"),
    };
    let cron = Cron::expand(map.cron.trim()).to_owned();
    if !cron.is_empty()
        && cron != Schedule::ONCE
        && let Err(error) = Cron::parse(&cron)
    {
        report.error(&format!("/schedule{base}"), &preset_hint(&cron, error));
    }
    let timezone = build_zone(map.timezone.as_deref(), report);
    let start = map
        .start_date
        .as_deref()
        .and_then(|text| date("/schedule/start_date", text, timezone, 0, report));
    let end = map
        .end_date
        .as_deref()
        .and_then(|text| date("/schedule/end_date", text, timezone, 1, report));
    if let (Some(start), Some(end)) = (start, end)
        && end <= start
    {
        report.message(
            "/schedule/end_date",
            "`end_date` is before `start_date`, so that nothing is ever due",
        );
    }
    if map.start_date.is_none() && (map.catchup || cron == Schedule::ONCE) {
        let what = if map.catchup {
            "`catchup: true`"
        } else {
            "`@once`"
        };
        let error = Error::new(format!("{what} needs a `start_date`"));
        report.error(
            &format!("/schedule{base}"),
            &error.hint("add it, as `start_date: 2026-01-01`"),
        );
    }
    Some(Schedule {
        cron,
        timezone,
        start_date: start,
        end_date: end,
        catchup: map.catchup,
    })
}

fn preset_hint(cron: &str, error: Error) -> Error {
    let presets = || Cron::presets().chain([Schedule::ONCE]);
    match nearest(cron, presets()) {
        Some(preset) if cron.starts_with('@') => Error::new(format!("`{cron}` is not a preset"))
            .hint(format!("did you mean `{preset}`?")),
        _ => error,
    }
}

fn build_zone(name: Option<&str>, report: &mut Report<'_>) -> Tz {
    let Some(name) = name else {
        return Tz::UTC;
    };
    name.parse().unwrap_or_else(|_| {
        let error = Error::new(format!("`{name}` is not an IANA time zone"));
        let error = match nearest(name, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())) {
            Some(zone) => error.hint(format!("did you mean `{zone}`?")),
            None => error.hint("for example `Europe/Madrid` or `UTC`"),
        };
        report.error("/schedule/timezone", &error);
        Tz::UTC
    })
}

/// A timestamp, or a date: the start of that day in `zone`, `later` days on.
fn date(
    pointer: &str,
    text: &str,
    zone: Tz,
    later: u64,
    report: &mut Report<'_>,
) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.with_timezone(&Utc));
    }
    let day = text.parse::<NaiveDate>().ok();
    if let Some(day) = day.and_then(|day| day.checked_add_days(Days::new(later))) {
        return Some(midnight(zone, day));
    }
    let error = Error::new(format!("`{text}` is not a date"));
    report.error(
        pointer,
        &error.hint("expected for example `2026-01-31` or `2026-01-31T06:00:00Z`"),
    );
    None
}

fn build_params(
    specs: BTreeMap<String, ParamSpec>,
    report: &mut Report<'_>,
) -> BTreeMap<String, Param> {
    let mut params = BTreeMap::new();
    for (name, spec) in specs {
        let map = match spec {
            ParamSpec::Map(map) => map,
            ParamSpec::Bool(value) => default_param(value.into()),
            ParamSpec::Number(value) => default_param(value.into()),
            ParamSpec::Text(value) => default_param(value.into()),
            ParamSpec::List(value) => default_param(value.into()),
        };
        let pointer = format!("/params/{}", escape(&name));
        let Some(r#type) = map.r#type.or_else(|| ParamType::of(&map.default)) else {
            report.message(
                &pointer,
                format!("parameter `{name}` has neither a type nor a default"),
            );
            continue;
        };
        let param = Param {
            r#type,
            default: map.default,
            minimum: map.minimum,
            maximum: map.maximum,
            r#enum: map.r#enum,
            description: map.description,
        };
        if let Some(flaw) = param.flaw(&param.default) {
            report.message(
                &format!("{pointer}/default"),
                format!("default of parameter `{name}`: {flaw}"),
            );
        }
        params.insert(name, param);
    }
    params
}

fn default_param(default: serde_json::Value) -> ParamMap {
    ParamMap {
        default,
        ..ParamMap::default()
    }
}
