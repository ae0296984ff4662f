//! One verb on several names: every one is tried, and what failed is said at once.

use crate::failure::{Failure, Result};
use crate::output;

#[derive(Default)]
pub struct Several {
    exit: Option<u8>,
}

impl Several {
    /// Takes a result; a failure is printed and the first one's exit code kept. A signal ends all.
    pub fn take<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(failure) if failure.is_signalled() => Err(failure),
            Err(failure) => {
                self.exit.get_or_insert(failure.exit);
                if !failure.message.is_empty() {
                    output::note(failure.to_string());
                }
                Ok(None)
            }
        }
    }

    pub fn end(self) -> Result<()> {
        self.exit.map_or(Ok(()), |exit| Err(Failure::silent(exit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_decides_the_exit_code() {
        let mut several = Several::default();
        assert_eq!(several.take(Ok(1)), Ok(Some(1)));
        assert_eq!(several.take(Err::<(), _>(Failure::silent(3))), Ok(None));
        assert_eq!(several.take(Err::<(), _>(Failure::silent(4))), Ok(None));
        assert_eq!(several.end(), Err(Failure::silent(3)));
        assert_eq!(Several::default().end(), Ok(()));
        assert!(Several::default().take(Err::<(), _>(Failure::signalled(2))).is_err());
    }
}
