//! What is said last on a channel: how it ended, and that it is closed.

use std::time::Duration;

use tokio::time::timeout;

/// Waits until the last was said, or for `most`. What has not been said by then is said later, by a task of its own: a
/// connection may take nothing for a while, and a channel whose end its peer never hears of stands there for ever. The end of
/// the connection ends that too.
pub(crate) async fn word(most: Duration, saying: impl Future<Output = ()> + Send + 'static) {
    let _ = timeout(most, tokio::spawn(saying)).await;
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_is_not_said_in_time_is_said_later() {
        let (open, opened) = oneshot::channel::<()>();
        let (say, said) = oneshot::channel();
        word(Duration::from_millis(1), async move {
            let _ = opened.await;
            let _ = say.send("closed");
        })
        .await;
        open.send(()).unwrap();
        assert_eq!(said.await, Ok("closed"));
    }
}
