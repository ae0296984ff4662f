//! An hour of one VM's or node's figures in a bounded place: the means of each step. Pure.

use std::collections::VecDeque;

use novacron_model::figures::{Figure, POINTS, STEP};
use novacron_model::{Bytes, MilliCpu, Time};

const KINDS: usize = 8;
const STEP_MS: i64 = STEP.cast_signed() * 1000;

/// One number for each field of a [`Figure`], in its order; none where it is not known.
pub type Values = [Option<f64>; KINDS];

/// Steps in which something was measured; others have no place.
#[derive(Debug, Default)]
pub struct History {
    /// Oldest first; NaN stands for what is not known.
    closed: VecDeque<(u32, [f32; KINDS])>,
    open: Option<Open>,
}

/// The step that goes on.
#[derive(Debug)]
struct Open {
    step: u32,
    sums: [f64; KINDS],
    counts: [u32; KINDS],
}

impl Open {
    fn means(&self) -> Values {
        let mean =
            |at: usize| (self.counts[at] > 0).then(|| self.sums[at] / f64::from(self.counts[at]));
        std::array::from_fn(mean)
    }
}

impl History {
    /// Adds a measurement. If the clock went back, what lies in the future is forgotten.
    pub fn add(&mut self, time: Time, values: &Values) {
        let step = step_of(time);
        if self.open.as_ref().is_some_and(|open| open.step != step) {
            self.close();
        }
        while self.closed.back().is_some_and(|(last, _)| *last >= step) {
            self.closed.pop_back();
        }
        let open = self.open.get_or_insert(Open { step, sums: [0.0; KINDS], counts: [0; KINDS] });
        for (at, value) in values.iter().enumerate() {
            if let Some(value) = value {
                open.sums[at] += value;
                open.counts[at] += 1;
            }
        }
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        if self.closed.len() == POINTS - 1 {
            self.closed.pop_front();
        }
        self.closed.push_back((open.step, open.means().map(narrow)));
    }

    /// Takes away what lies more than an hour back; whether anything is left.
    pub fn forget_before(&mut self, now: Time) -> bool {
        let first = first_of(now, POINTS);
        while self.closed.front().is_some_and(|(step, _)| *step < first) {
            self.closed.pop_front();
        }
        self.open.take_if(|open| open.step < first);
        !self.closed.is_empty() || self.open.is_some()
    }

    /// What is known since `from`, the step that holds it included; oldest first.
    pub fn since(&self, from: Time) -> Vec<Figure> {
        let first = step_of(from);
        let steps = self.steps().skip_while(|(step, _)| *step < first);
        steps.map(|(step, values)| figure(time_of(step), &values)).collect()
    }

    /// Thousandths of a CPU in each of the last `count` steps; empty if none is known.
    pub fn trend(&self, now: Time, count: usize) -> Vec<Option<u32>> {
        let first = first_of(now, count);
        let mut trend = vec![None; count];
        for (step, values) in self.steps().skip_while(|(step, _)| *step < first) {
            let place = usize::try_from(step - first).ok().and_then(|at| trend.get_mut(at));
            if let (Some(place), Some(cpu)) = (place, values[0]) {
                *place = u32::try_from(whole(cpu)).ok();
            }
        }
        if trend.iter().all(Option::is_none) { Vec::new() } else { trend }
    }

    fn steps(&self) -> impl Iterator<Item = (u32, Values)> {
        let closed = self.closed.iter().map(|(step, values)| (*step, values.map(widen)));
        closed.chain(self.open.iter().map(|open| (open.step, open.means())))
    }
}

/// The numbers as the API shows them.
pub fn figure(time: Time, values: &Values) -> Figure {
    let [cpu, memory, read, written, reads, writes, received, sent] =
        values.map(|value| value.map(whole));
    Figure {
        time,
        cpu: cpu.map(MilliCpu),
        memory: memory.map(Bytes),
        disk_read: read.map(Bytes),
        disk_written: written.map(Bytes),
        disk_reads: reads,
        disk_writes: writes,
        network_received: received.map(Bytes),
        network_sent: sent.map(Bytes),
    }
}

/// Steps are counted from 1970, so that those of all VMs begin together.
fn step_of(time: Time) -> u32 {
    u32::try_from(time.0.div_euclid(STEP_MS)).unwrap_or(0)
}

fn time_of(step: u32) -> Time {
    Time(i64::from(step) * STEP_MS)
}

/// The first of the last `count` steps, the one that goes on included.
fn first_of(now: Time, count: usize) -> u32 {
    (step_of(now) + 1).saturating_sub(u32::try_from(count).unwrap_or(u32::MAX))
}

#[expect(clippy::cast_possible_truncation, reason = "seven digits are enough for a chart")]
fn narrow(value: Option<f64>) -> f32 {
    value.map_or(f32::NAN, |value| value as f32)
}

fn widen(value: f32) -> Option<f64> {
    (!value.is_nan()).then(|| f64::from(value))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and nothing here is negative"
)]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON: i64 = 1_800_000_000_000;

    fn only_cpu(cpu: f64) -> Values {
        let mut values = [None; KINDS];
        values[0] = Some(cpu);
        values
    }

    fn at(seconds: i64) -> Time {
        Time(NOON + seconds * 1000)
    }

    #[test]
    fn a_step_is_the_mean_of_what_was_measured_in_it() {
        let mut history = History::default();
        for (second, cpu) in [(0, 100.0), (5, 200.0), (10, 600.0), (15, 50.0)] {
            history.add(at(second), &only_cpu(cpu));
        }
        let points = history.since(at(0));
        let cpus: Vec<_> = points.iter().map(|point| (point.time, point.cpu)).collect();
        assert_eq!(cpus, [(at(0), Some(MilliCpu(300))), (at(15), Some(MilliCpu(50)))]);
        assert_eq!(points[0].memory, None, "what is not known is not zero");
        assert_eq!(history.since(at(29)).len(), 1, "the step that holds the moment");
    }

    #[test]
    fn where_nothing_was_measured_there_is_a_gap() {
        let mut history = History::default();
        history.add(at(0), &only_cpu(100.0));
        history.add(at(60), &only_cpu(200.0));
        assert_eq!(history.since(at(0)).len(), 2);
        let trend = history.trend(at(60), 6);
        assert_eq!(trend, [None, Some(100), None, None, None, Some(200)]);
        assert!(history.trend(at(10_000), 6).is_empty());
        assert!(history.forget_before(at(3600)));
        assert_eq!(history.since(at(0)).len(), 1);
        assert!(!history.forget_before(at(3700)));
    }

    proptest! {
        #[test]
        fn whatever_the_clock_does_the_hour_is_bounded_ordered_and_true(
            samples in prop::collection::vec((-50_i64..400, 0.0_f64..1e9, any::<bool>()), 1..900),
        ) {
            let (mut history, mut now) = (History::default(), NOON);
            for (ahead, value, known) in &samples {
                now += ahead * 1000;
                history.add(Time(now), &[known.then_some(*value); KINDS]);
                history.forget_before(Time(now));
            }
            let points = history.since(Time(0));
            prop_assert!(!points.is_empty() && points.len() <= POINTS);
            prop_assert!(points.windows(2).all(|pair| pair[0].time < pair[1].time));
            let oldest = now - i64::try_from(POINTS).unwrap() * STEP_MS;
            prop_assert!(points.iter().all(|point| (oldest..=now).contains(&point.time.0)));
            let known = samples.iter().filter(|sample| sample.2).map(|sample| sample.1);
            let most = known.clone().fold(0.0, f64::max);
            let least = known.fold(f64::INFINITY, f64::min);
            // As exact as they are kept.
            let (most, least) = (most * 1.000_001 + 1.0, least * 0.999_999 - 1.0);
            for memory in points.iter().filter_map(|point| point.memory) {
                #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
                let memory = memory.0 as f64;
                prop_assert!(least <= memory && memory <= most, "{memory}");
            }
        }
    }
}
