//! Programs that make test models: what they share.
