//! What the benchmarks of all crates share: they are timed by criterion, or their instructions are
//! counted by `cargo xtask instructions`, which runs one piece of work at a time under callgrind.

use std::{env, hint::black_box, time::Duration};

use criterion::Criterion;

/// Work whose instructions are counted. Enough of it is done that its beginning does not matter.
pub(crate) struct Counted {
    /// What it is called in the file of counts.
    pub(crate) name: &'static str,
    /// How many frames, messages or pieces it works through; the count is told for one of them.
    pub(crate) times: u32,
    /// Prepares, and does the work in [`count`].
    pub(crate) work: fn(u32),
}

/// Does what is counted: callgrind is told to look at nothing outside of this function.
#[inline(never)]
pub(crate) fn count(work: impl FnOnce()) {
    work();
}

/// With `--counted NAME` does that work once, with `--counted` names what there is, and else times
/// what `benchmarks` say.
#[expect(clippy::print_stdout, reason = "xtask reads it")]
pub(crate) fn run(counted: &[Counted], benchmarks: fn(&mut Criterion)) {
    let words: Vec<String> = env::args().skip(1).collect();
    if words.first().is_none_or(|word| word != "--counted") {
        let mut criterion = Criterion::default()
            .sample_size(20)
            .warm_up_time(Duration::from_millis(200))
            .measurement_time(Duration::from_millis(500))
            .configure_from_args();
        benchmarks(&mut criterion);
        return criterion.final_summary();
    }
    for Counted { name, times, work } in counted {
        match words.get(1) {
            None => println!("{times} {name}"),
            Some(word) if word == name => work(black_box(*times)),
            Some(_) => {}
        }
    }
}
