//! Limits on a payload's size, nesting and number of values, so that a reader's memory and time are bounded.

/// Limits on a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadLimits {
    /// Maximum number of octets of JSON.
    pub decompressed_bytes_max: usize,
    /// Greatest ratio of decompressed to compressed size. It is checked only where the JSON is larger than `decompressed_bytes_free`.
    pub ratio_max: usize,
    /// Size of the JSON, in octets, up to which any ratio is admitted, because a small letter compresses extremely well with the
    /// dictionary.
    pub decompressed_bytes_free: usize,
    /// Largest window that a frame may declare, in bytes.
    pub window_bytes_max: u64,
    /// Deepest nesting of arrays and objects, the outermost included.
    pub depth_max: usize,
    /// Maximum number of numbers, texts, booleans, nulls and arrays in one member of the document.
    pub values_max: usize,
    /// Maximum number of objects in one member of the document, because an object takes far more memory than its text.
    pub objects_max: usize,
    /// Maximum number of tables in one letter.
    pub tables_max: usize,
    /// Maximum number of columns of one table.
    pub columns_max: usize,
    /// Maximum number of rows in one letter, all tables together.
    pub rows_max: usize,
}

impl Default for PayloadLimits {
    fn default() -> PayloadLimits {
        PayloadLimits {
            decompressed_bytes_max: 4 << 20,
            ratio_max: 200,
            decompressed_bytes_free: 64 << 10,
            // RFC 8878, 3.1.1.1.2, requires 8 MB of every decoder. A larger window would exclude other implementations.
            window_bytes_max: 8 << 20,
            depth_max: 8,
            values_max: 500_000,
            objects_max: 1_000,
            tables_max: 50,
            columns_max: 200,
            // Chosen by measurement (docs/PERFORMANCE.md, The largest letter): a letter is written in one piece, and other letters wait
            // meanwhile.
            rows_max: 20_000,
        }
    }
}
