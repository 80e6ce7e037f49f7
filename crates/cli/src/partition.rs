//! Which part of the cases this machine runs, of several that share them.

use std::{str::FromStr, time::Duration};

use wsproof_engine::Case;
use wsproof_report::contract::{PartBy, PartInfo};

use crate::exit::Error;

/// What --partition says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Partition {
    /// The CI system says which part it is.
    Auto,
    /// A part by its number.
    Part { by: PartBy, part: u32, parts: u32 },
}

/// Far more than there are cases: a number that is larger is a mistake.
const MOST_PARTS: u32 = 10_000;

/// Variables with which CI systems number jobs that run beside each other, and the number of the
/// first one.
const SYSTEMS: [(&str, &str, u32); 7] = [
    ("CI_NODE_INDEX", "CI_NODE_TOTAL", 1),
    ("CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL", 0),
    ("BUILDKITE_PARALLEL_JOB", "BUILDKITE_PARALLEL_JOB_COUNT", 0),
    ("BITBUCKET_PARALLEL_STEP", "BITBUCKET_PARALLEL_STEP_COUNT", 0),
    ("SEMAPHORE_JOB_INDEX", "SEMAPHORE_JOB_COUNT", 1),
    ("SYSTEM_JOBPOSITIONINPHASE", "SYSTEM_TOTALJOBSINPHASE", 1),
    // Kubernetes tells a pod of an indexed job its number, and how many there are only if the
    // manifest does.
    ("JOB_COMPLETION_INDEX", "JOB_COMPLETIONS", 0),
];

impl FromStr for Partition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is none of slice:2/4, hash:2/4, weighted:2/4, auto");
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let (by, numbers) = text.split_once(':').ok_or_else(wrong)?;
        let (part, parts) = numbers.split_once('/').ok_or_else(wrong)?;
        let by = match by {
            "hash" => PartBy::Hash,
            "slice" => PartBy::Slice,
            "weighted" => PartBy::Weighted,
            _ => return Err(wrong()),
        };
        let (part, parts) =
            (part.parse().map_err(|_| wrong())?, parts.parse().map_err(|_| wrong())?);
        if part < 1 || part > parts {
            return Err(format!("there is no part {part} of {parts}; parts count from 1"));
        }
        at_most(parts)?;
        Ok(Self::Part { by, part, parts })
    }
}

fn at_most(parts: u32) -> Result<(), String> {
    if parts > MOST_PARTS {
        return Err(format!("{parts} parts are too many; a run has at most {MOST_PARTS}"));
    }
    Ok(())
}

impl Partition {
    /// Leaves the cases of this part.
    pub(crate) fn take(self, cases: Vec<Case>) -> Result<(Vec<Case>, PartInfo), Error> {
        let (by, part, parts) = match self {
            Self::Part { by, part, parts } => (by, part, parts),
            Self::Auto => {
                let (part, parts) = from_variables(|name| std::env::var(name).ok())?;
                (PartBy::Slice, part, parts)
            }
        };
        let info = PartInfo { by, part, parts, of: cases.len() };
        let numbers: Vec<u64> = match by {
            PartBy::Hash => {
                cases.iter().map(|case| hash(case.id.as_str()) % u64::from(parts)).collect()
            }
            PartBy::Slice => (0..u64::from(parts)).cycle().take(cases.len()).collect(),
            PartBy::Weighted => weighted(&cases, parts),
        };
        let cases = cases.into_iter().zip(numbers).filter(|(_, of)| *of == u64::from(part - 1));
        Ok((cases.map(|(case, _)| case).collect(), info))
    }
}

/// The part and the number of parts, as the CI system says.
fn from_variables(value: impl Fn(&str) -> Option<String>) -> Result<(u32, u32), Error> {
    for (index, total, first) in SYSTEMS {
        let Some(text) = value(index) else { continue };
        let number = |name: &str, text: Option<String>| {
            let number = text.as_ref().and_then(|text| text.trim().parse::<u32>().ok());
            number.ok_or_else(|| {
                Error::usage(format!(
                    "--partition auto: {index} is set, but {name} is no number; set it, or use \
                     --partition slice:m/n"
                ))
            })
        };
        let (part, parts) = (number(index, Some(text))?, number(total, value(total))?);
        at_most(parts)
            .map_err(|why| Error::usage(format!("--partition auto: {total}={parts}: {why}")))?;
        return match part.checked_sub(first) {
            Some(part) if part < parts => Ok((part + 1, parts)),
            _ => Err(Error::usage(format!(
                "--partition auto: {index}={part} does not fit {total}={parts}"
            ))),
        };
    }
    let names: Vec<_> = SYSTEMS.iter().map(|(index, ..)| *index).collect();
    Err(Error::usage(format!(
        "--partition auto: none of {} is set; use --partition slice:m/n",
        names.join(", ")
    )))
}

/// Gives each case, the longest first, to the part that has least to do so far.
fn weighted(cases: &[Case], parts: u32) -> Vec<u64> {
    let mut order: Vec<_> = cases.iter().map(weight).enumerate().collect();
    order.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    let mut loads = vec![Duration::ZERO; parts as usize];
    let mut numbers = vec![0; cases.len()];
    for (index, weight) in order {
        let least = loads.iter_mut().enumerate().min_by_key(|(_, load)| **load);
        let Some((part, load)) = least else { break };
        *load += weight;
        numbers[index] = part as u64;
    }
    numbers
}

/// What a case takes with a peer that conforms, roughly: nothing of it depends on the machine, so
/// that all parts agree.
fn weight(case: &Case) -> Duration {
    const MEASURED: Duration = Duration::from_millis(400);
    const OTHER: Duration = Duration::from_millis(5);
    case.scripted_wait() + if case.measured { MEASURED } else { OTHER }
}

/// FNV-1a, which is the same on every machine and in every version.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_parts(by: PartBy, parts: u32, cases: &[Case]) {
        let mut all: Vec<_> = (1..=parts)
            .flat_map(|part| Partition::Part { by, part, parts }.take(cases.to_vec()).unwrap().0)
            .map(|case| case.id)
            .collect();
        all.sort();
        let ids: Vec<_> = cases.iter().map(|case| case.id.clone()).collect();
        assert_eq!(all, ids);
    }

    #[test]
    fn each_case_is_in_one_part() {
        let cases = wsproof_cases::classic();
        // With more parts than cases as well.
        for (parts, cases) in [(1, &cases[..]), (2, &cases), (7, &cases), (60, &cases[..50])] {
            check_parts(PartBy::Slice, parts, cases);
            check_parts(PartBy::Hash, parts, cases);
            check_parts(PartBy::Weighted, parts, cases);
        }
    }

    #[test]
    fn weighted_parts_take_as_long() {
        let cases = wsproof_cases::classic();
        let mut loads = [Duration::ZERO; 5];
        for (case, part) in cases.iter().zip(weighted(&cases, 5)) {
            loads[usize::try_from(part).unwrap()] += weight(case);
        }
        let (least, most) = (loads.iter().min().unwrap(), loads.iter().max().unwrap());
        assert!(*most < *least + Duration::from_millis(500), "{loads:?}");
    }

    #[test]
    fn a_partition_is_read() {
        let by = PartBy::Hash;
        assert_eq!("hash:2/4".parse(), Ok(Partition::Part { by, part: 2, parts: 4 }));
        assert_eq!("auto".parse(), Ok(Partition::Auto));
        for wrong in [
            "",
            "2/4",
            "slice:2",
            "slice:0/4",
            "slice:5/4",
            "slice:1/0",
            "x:1/2",
            "hash:a/b",
            "weighted:1/10001",
            "weighted:1/4294967295",
        ] {
            assert!(wrong.parse::<Partition>().is_err(), "{wrong}");
        }
    }

    fn check_variables(set: &[(&str, &str)], expected: Option<(u32, u32)>) {
        let value = |name: &str| {
            set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        assert_eq!(from_variables(value).ok(), expected, "{set:?}");
    }

    #[test]
    fn ci_systems_count_from_0_or_1() {
        check_variables(&[("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "4")], Some((1, 4)));
        check_variables(&[("CI_NODE_INDEX", "4"), ("CI_NODE_TOTAL", "4")], Some((4, 4)));
        check_variables(&[("CIRCLE_NODE_INDEX", "0"), ("CIRCLE_NODE_TOTAL", "4")], Some((1, 4)));
        check_variables(&[("CIRCLE_NODE_INDEX", "4"), ("CIRCLE_NODE_TOTAL", "4")], None);
        check_variables(&[("CI_NODE_INDEX", "0"), ("CI_NODE_TOTAL", "4")], None);
        check_variables(&[("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "4294967295")], None);
        check_variables(&[("JOB_COMPLETION_INDEX", "0")], None);
        check_variables(&[], None);
    }
}
