//! What a payload may ask of its reader: bounds of size, nesting and number, each with its reason.

/// What a payload may ask of its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadLimits {
    /// Size of the JSON.
    pub decompressed_bytes_max: usize,
    /// Decompressed size by compressed size, once the JSON is larger than `decompressed_bytes_free`.
    pub ratio_max: usize,
    /// Size of the JSON below which any ratio is admitted: a small letter lives on the dictionary.
    pub decompressed_bytes_free: usize,
    /// Window that a frame may declare.
    pub window_bytes_max: u64,
    /// Arrays and objects within one another, the outermost included.
    pub depth_max: usize,
    /// Numbers, texts, booleans, nulls and arrays in one member of the document.
    pub values_max: usize,
    /// Objects in one member of the document: each takes far more memory than it takes text.
    pub objects_max: usize,
    /// Tables in one letter.
    pub tables_max: usize,
    /// Columns of one table.
    pub columns_max: usize,
    /// Rows in one letter, all tables together.
    pub rows_max: usize,
}

impl Default for PayloadLimits {
    fn default() -> PayloadLimits {
        PayloadLimits {
            decompressed_bytes_max: 4 << 20,
            ratio_max: 200,
            decompressed_bytes_free: 64 << 10,
            // RFC 8878 3.1.1.1.2 asks every decoder for 8 MB; more would lock out other implementations.
            window_bytes_max: 8 << 20,
            depth_max: 8,
            values_max: 500_000,
            objects_max: 1_000,
            tables_max: 50,
            columns_max: 200,
            // Measured: docs/PERFORMANCE.md, The largest letter. A letter is written whole, and its neighbours wait meanwhile.
            rows_max: 20_000,
        }
    }
}
