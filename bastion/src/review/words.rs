//! What a reviewer reads of the bucket.

/// What becomes of an erased recording's object: none if there is no bucket, otherwise whether what lies there is locked.
pub(super) const fn replaced(locks: Option<bool>) -> &'static str {
    match locks {
        // What is locked nobody can remove, so that nobody is told to.
        Some(true) => {
            "\nits object is replaced as soon as the bucket takes it; the version before that can be opened by its recipients until its lock ends"
        }
        Some(false) => {
            "\nits object is replaced as soon as the bucket takes it; a bucket that keeps versions has the one before still: remove that there"
        }
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_told_to_remove_what_is_locked() {
        let locked = replaced(Some(true));
        assert!(locked.contains("until its lock ends") && !locked.contains("remove"));
        assert!(replaced(Some(false)).ends_with("remove that there"));
        assert_eq!(replaced(None), "");
    }
}
