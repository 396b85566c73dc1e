//! What a target writes piece by piece is recorded and handed on at once.

use bytes::BytesMut;
use russh::ChannelMsg;

use crate::alarm::Alarm;

/// Most bytes that are put together: what a large packet of SSH holds.
const MOST: usize = 32 << 10;

/// How many bytes of a session are put together: none, if its screen is looked at after each message.
pub(super) fn most(alarm: Option<&Alarm>) -> usize {
    if alarm.is_some_and(Alarm::looks_at_each) {
        0
    } else {
        MOST
    }
}

/// Puts the bytes of the messages that `next` has behind those of `first`, if that holds bytes, up to `most` of them. Gives
/// back what came next and does not belong to it.
pub(super) fn together(
    first: ChannelMsg,
    most: usize,
    mut next: impl FnMut() -> Option<ChannelMsg>,
) -> (ChannelMsg, Option<ChannelMsg>) {
    let ChannelMsg::Data { data } = first else {
        return (first, None);
    };
    let mut all = BytesMut::new();
    let mut left = None;
    // Large ones are recorded as fast alone as they are copied.
    while data.len().max(all.len()) < most / 2 {
        match next() {
            Some(ChannelMsg::Data { data: more })
                if data.len().max(all.len()) + more.len() <= most =>
            {
                if all.is_empty() {
                    all.reserve(most);
                    all.extend_from_slice(&data);
                }
                all.extend_from_slice(&more);
            }
            other => {
                left = other;
                break;
            }
        }
    }
    let data = if all.is_empty() { data } else { all.freeze() };
    (ChannelMsg::Data { data }, left)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use bytes::Bytes;

    use super::*;

    fn data(bytes: &[u8]) -> ChannelMsg {
        let data = Bytes::copy_from_slice(bytes);
        ChannelMsg::Data { data }
    }

    fn bytes(message: &ChannelMsg) -> &[u8] {
        match message {
            ChannelMsg::Data { data } => data,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn small_pieces_become_one_and_end_where_something_else_is_said() {
        let errors = ChannelMsg::ExtendedData {
            data: Bytes::from_static(b"e"),
            ext: 1,
        };
        let mut said = VecDeque::from([data(b"b"), data(b"c"), errors, data(b"d")]);
        let (one, left) = together(data(b"a"), MOST, || said.pop_front());
        assert_eq!(bytes(&one), b"abc");
        assert!(matches!(left, Some(ChannelMsg::ExtendedData { .. })));
        assert_eq!(said.len(), 1, "what follows stays where it is");
        let (end, left) = together(ChannelMsg::Eof, MOST, || said.pop_front());
        assert!(matches!(end, ChannelMsg::Eof) && left.is_none() && said.len() == 1);
    }

    #[test]
    fn an_alarm_that_looks_at_the_screen_is_handed_each_message_alone() {
        let mut said = VecDeque::from([data(b"\r\x1b[K")]);
        let alarm = Alarm::of(true);
        let (one, left) = together(data(b"root@db1:~#"), most(Some(&alarm)), || {
            said.pop_front()
        });
        assert_eq!(bytes(&one), b"root@db1:~#");
        assert!(left.is_none() && said.len() == 1);
        for other in [None, Some(&Alarm::of(false))] {
            assert_eq!(most(other), MOST);
        }
    }

    #[test]
    fn no_byte_is_lost_and_none_is_more_than_a_packet() {
        for size in [
            1,
            4000,
            4096,
            MOST / 2 - 1,
            MOST / 2,
            MOST - 1,
            MOST,
            3 * MOST,
        ] {
            let sent: Vec<u8> = (0..=250).cycle().take(5 * MOST + 7).collect();
            let mut said: VecDeque<ChannelMsg> = sent.chunks(size).map(data).collect();
            let mut got = Vec::new();
            while let Some(first) = said.pop_front() {
                let (one, left) = together(first, MOST, || said.pop_front());
                assert!(bytes(&one).len() <= MOST.max(size), "{size}");
                got.extend_from_slice(bytes(&one));
                if let Some(left) = left {
                    said.push_front(left);
                }
            }
            assert_eq!(got, sent, "{size}");
        }
    }
}
