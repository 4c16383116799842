//! Cedar on the cases of write_cases, in the manner of reeve_peer.cc: `cedar_peer DIRECTORY...`. Requests and entities are
//! made beforehand, so that the time is of `is_authorized` alone.
use cedar_policy::{Authorizer, Context, Decision, Entities, EntityId, EntityTypeName, EntityUid, PolicySet, Request};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::str::FromStr;

const BUDGET_NS: f64 = 5e8;
const MIN_ROUNDS: usize = 5;

/// Processor time of the process: what else the machine does is not in it.
fn now_ns() -> f64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to `now` and nowhere else.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut now) };
    1e9 * now.tv_sec as f64 + now.tv_nsec as f64
}

/// `org_permission` is `OrgPermission` in Cedar's files.
fn to_camel(name: &str) -> String {
    name.split('_')
        .map(|word| word[..1].to_uppercase() + &word[1..])
        .collect()
}

fn uid(text: &str) -> Result<EntityUid, Box<dyn Error>> {
    let (kind, id) = text.split_once(':').ok_or("no colon in a name")?;
    Ok(EntityUid::from_type_name_and_id(
        EntityTypeName::from_str(&to_camel(kind))?,
        EntityId::new(id),
    ))
}

fn requests(path: &Path) -> Result<Vec<(Request, bool)>, Box<dyn Error>> {
    let mut all = Vec::new();
    for line in fs::read_to_string(path)?.lines() {
        let row: serde_json::Value = serde_json::from_str(line)?;
        let text = |name: &str| row[name].as_str().ok_or("a request lacks a name");
        let request = Request::new(
            uid(text("principal")?)?,
            uid(&format!("action:{}", text("action")?))?,
            uid(text("resource")?)?,
            Context::empty(),
            None,
        )?;
        all.push((request, row["allow"].as_bool().ok_or("a request lacks its answer")?));
    }
    if all.is_empty() {
        return Err("no requests".into());
    }
    Ok(all)
}

fn measure(directory: &Path) -> Result<(), Box<dyn Error>> {
    let policies = PolicySet::from_str(&fs::read_to_string(directory.join("cedar/policy.cedar"))?)?;
    let entities = Entities::from_json_str(&fs::read_to_string(directory.join("cedar/entities.json"))?, None)?;
    let requests = requests(&directory.join("requests.jsonl"))?;
    let authorizer = Authorizer::new();
    for (request, allow) in &requests {
        let answer = authorizer.is_authorized(request, &policies, &entities);
        if (answer.decision() == Decision::Allow) != *allow {
            return Err(format!("another answer than expected: {request}").into());
        }
    }
    let mut rounds = Vec::new();
    let begin = now_ns();
    while rounds.len() < MIN_ROUNDS || now_ns() - begin < BUDGET_NS {
        let round = now_ns();
        for (request, _) in &requests {
            std::hint::black_box(authorizer.is_authorized(request, &policies, &entities));
        }
        rounds.push((now_ns() - round) / requests.len() as f64);
    }
    rounds.sort_by(f64::total_cmp);
    println!(
        "{}",
        serde_json::json!({
            "case": directory.file_name().and_then(|name| name.to_str()),
            "peer": "cedar",
            "version": "4.14.1",
            "ns": rounds[rounds.len() / 2],
        })
    );
    Ok(())
}

fn main() {
    let mut failed = false;
    for directory in std::env::args().skip(1) {
        let directory = Path::new(&directory);
        if !directory.join("cedar").is_dir() {
            continue;
        }
        if let Err(error) = measure(directory) {
            eprintln!("{}: {error}", directory.display());
            failed = true;
        }
    }
    std::process::exit(i32::from(failed));
}
