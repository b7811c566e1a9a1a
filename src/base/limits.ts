/**
 * Every bound on what comes from outside, in one place (docs/limits.md explains each). A setting may lower or raise
 * some of them for one store; the names stay.
 */
export const LIMITS = {
  /** Compressed bytes of one profile. What gets worse if raised: memory of one request. */
  profileBytesMax: 64 << 20,
  /** Bytes of one profile after gunzip, checked while inflating. */
  profileInflatedBytesMax: 256 << 20,
  /** gzip members in one profile. */
  gzipMembersMax: 64,
  samplesPerProfileMax: 4_000_000,
  /** Strings of one profile; also its locations, lines, functions and mappings, each. */
  symbolsPerProfileMax: 4_000_000,
  /** Locations of all stacks of one profile together; also its values and its samples' labels, each. */
  entriesPerProfileMax: 64_000_000,
  sampleTypesMax: 64,
  stackDepthMax: 4_096,
  labelsPerSampleMax: 256,
  /** Bytes of one string of a profile's string table. */
  stringBytesMax: 1 << 20,
  commentsMax: 256,

  /** Bytes of a profile and of the earlier one that is taken off it, both inflated. What gets worse if raised: time of one request. */
  subtractedBytesMax: 32 << 20,
  /** Parts of one multipart body. */
  multipartPartsMax: 16,
  /**
   * Of one body that is not pprof (folded, trie, tree, speedscope, JFR): its frames, call tree nodes, label sets and
   * different samples, each. What gets worse if raised: memory of one request, some 300 bytes each.
   */
  convertedNodesMax: 1_000_000,
  /** Bytes of names of such a body, together. */
  convertedTextBytesMax: 64 << 20,
  /** Levels of a trie or tree; a trie may cut a frame's name into several. */
  callTreeDepthMax: 65_536,
  speedscopeBytesMax: 64 << 20,
  speedscopeProfilesMax: 256,
  /** Frames of all stacks of one JFR recording, as its constant pools hold them. */
  jfrFramesMax: 8_000_000,
  /** Entries of its constant pools, those that matter; also its types and their fields, each. */
  jfrPoolEntriesMax: 1_000_000,
  jfrChunksMax: 1_024,

  labelsMax: 64,
  labelNameBytesMax: 1_024,
  labelValueBytesMax: 4_096,
  tenantBytesMax: 128,
  profileIdBytesMax: 128,
  /** A profile's start may lie this far in the future of the server's clock, not further. */
  futureMsMax: 10 * 60_000,

  selectorBytesMax: 16_384,
  matchersMax: 64,
  regexBytesMax: 4_096,
  /** Bytes of one stack pattern, its frames, and patterns of one query. */
  stackPatternBytesMax: 16_384,
  stackPatternFramesMax: 64,
  stackPatternsMax: 64,
  /** Compiled size of a regular expression; matching costs this times the length of the text, at worst. */
  regexInstructionsMax: 5_000,
  /** That product for one text, which is matched without a look at the clock: some 3 s at worst. */
  regexStepsMax: 50_000_000,

  /** Uncompressed bytes waiting for the ingest thread; past it a writer gets `limit`. */
  ingestQueueBytesMax: 64 << 20,
  ingestQueueRequestsMax: 1_024,
  /** Memory that the server and the ingest thread share for requests on their way; what does not fit is copied twice. */
  ingestRingBytes: 4 << 20,
  /**
   * Bytes of symbols that the ingest thread keeps to recognise what it has seen; past it they are dropped when the next
   * segment starts.
   */
  internBytesMax: 96 << 20,
  /** Series that the ingest thread knows at once; past it new ones get `limit`. What gets worse if raised: memory. */
  ingestSeriesMax: 1_000_000,
  /** An open segment is sealed at this size. */
  segmentBytesMax: 32 << 20,
  segmentAgeMsMax: 15 * 60_000,
  /** Total size of level 0; past it writers get `limit` until compaction catches up. */
  logBytesMax: 1 << 30,
  commitBytesMax: 512 << 20,
  /** Profiles in level 0, whose ids are in memory; past it writers get `limit` until compaction catches up. */
  logProfilesMax: 1_000_000,

  /** Bytes of a block's `meta`: footers and checksums of its files. */
  blockMetaBytesMax: 256 << 20,
  /** Bytes of the sums by key while one service is rolled up; a service with more keys has no rollups. */
  rollupAccumulatorBytesMax: 96 << 20,
  /** Distinct texts (comments, ...) of the profiles of one profile name of a service; with more it has no rollups. */
  rollupMetadataMax: 1_024,
  /** Labels that rollups keep. */
  rollupLabelsMax: 64,

  /** Tenants that one query may name, `a|b`. */
  queryTenantsMax: 32,
  queryDeadlineMs: 60_000,
  /** Rows that one query may scan. */
  queryRowsMax: 2_000_000_000,
  /** Nodes of the merged trie of one query. */
  queryNodesMax: 20_000_000,
  /** Different label sets of samples that one query holds. */
  queryLabelSetsMax: 1_000_000,
  /** Ids of profiles that one query may name. */
  queryProfileIdsMax: 10_000,
  /** Single profiles or spans that one list may hold. */
  queryItemsMax: 10_000,
  heatmapBucketsMax: 200,
  /** Selections that one comparison sets against its base. */
  diffSidesMax: 16,
  /** Profiles of a side that are read one by one for their dispersion; of more of them every n-th is. */
  diffProfilesMax: 2_000,
  diffFunctionsMax: 100_000,
  /** Profiles that a search for regressions reads one by one; of more of them every n-th. */
  regressionProfilesMax: 8_000,
  /** Direct callers of a function that such a search tells apart. */
  regressionCallersMax: 64,
  regressionsMax: 100,
  /** Points of a time series answer: series times steps. */
  queryPointsMax: 1_000_000,
  queryGroupsMax: 100_000,
  /** Rules that bound the queries of tenants. */
  queryBudgetsMax: 1_000,
  treeNodesDefault: 16_384,
  treeNodesMax: 1 << 20,
  /** Levels of callers and callees, and locations of a stack for Go's compiler. */
  stackLevelsMax: 4_096,
  concurrentQueriesMax: 64,
  /** Queries waiting for one of those slots. */
  waitingQueriesMax: 256,
  /** How often a query plans again because a block or segment vanished under it. */
  queryAttemptsMax: 4,
  /** Bytes of one rendered answer (folded text). */
  renderBytesMax: 512 << 20,

  /** Requests of one write stream that wait for their answers; past it the stream is not read. */
  streamInFlightRequestsMax: 32,
  /** The same in bytes; one request may exceed it. */
  streamInFlightBytesMax: 16 << 20,
  /** Calls at once on one gRPC connection. */
  grpcConcurrentStreamsMax: 256,
  httpConnectionsMax: 4_096,
  /** HTTP requests that are being answered; past it callers get `limit`. */
  httpRequestsMax: 512,
  /** Request bodies that are being received or answered, all together; past it callers get `limit`. */
  httpBodiesBytesMax: 256 << 20,
  httpHeaderBytesMax: 64 << 10,
  httpParametersMax: 256,

  /** Bytes of the file of `--config`. */
  configBytesMax: 1 << 20,
  optionValueLengthMax: 16_384,
  /** Values of one repeated option. */
  optionListMax: 1_024,
  /** Files of one `basalt import`. */
  importFilesMax: 1_000_000,
  /** Attempts of one call to the source of a copy, the first included. */
  importAttemptsMax: 8,
  /** Bytes of one answer that the command line takes from a server. */
  clientAnswerBytesMax: 1 << 30,

  /** Bytes of one manifest version: some 100 bytes a live block. */
  manifestBytesMax: 64 << 20,
  /** Rules that say how long profiles are kept. */
  retentionRulesMax: 1_000,
  /** Least age that a retention rule may have: shorter than what a late profile takes, nothing would ever be seen. */
  retentionMsMin: 3_600_000,
  /** Deletions of one tenant that compaction has not applied everywhere yet; past it more get `limit`. */
  seriesTombstonesMax: 1_000,
  /** Bytes of one service's carry object; the series with the oldest carry are dropped first. */
  carryBytesMax: 64 << 20,

  /** Tombstones of one tenant that are due at once and still believed. */
  collectTombstonesMax: 4_096,
  /** Orphaned blocks and carries of one tenant that one sweep deletes without being told to. */
  sweepOrphansMax: 4_096,

  /** Bytes of an object that is read or put whole; larger ones are uploaded in parts and read by range. */
  objectBytesMax: 1 << 30,
  /** Parts of one upload (10,000 on S3); with 8 MiB each, 78 GiB. */
  uploadPartsMax: 10_000,
  /** Names that one listing of folders may return. */
  foldersMax: 1_000_000,
  /** Attempts of one call to a bucket, the first included. */
  bucketAttemptsMax: 32,
  /** Calls to one worker thread that wait for an answer; past it callers get `limit`. */
  threadCallsMax: 65_536,
} as const;
