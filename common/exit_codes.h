// How the servers end. Supervisors may branch on these; docs/configuration.md lists them.
#pragma once

namespace kvs {

enum ExitCode : int {
  kExitClean = 0,         // drained after SIGTERM, SIGINT or SIGHUP
  kExitStartFailed = 1,   // certificates, data directory or port; the message says which. Restart after mending it
  kExitBadSettings = 2,   // a flag, variable or file entry; restarting does not help
  kExitNotPermitted = 3,  // kvs_server: the ledger does not let its certificate write
  kExitWriterActive = 4,  // kvs_server: another one is using the ledger
  kExitFenced = 5,        // kvs_server: another one took the ledger over. Must not be restarted by itself
  kExitDataLoss = 6,      // the log is damaged, or is not the history of the state. Restarting does not help
  kExitLogFailed = 7,     // txn_server: a write or sync failed. A restart finds out what is durable
  kExitForced = 8,        // a second signal came before the drain was over, or txn_server's ledger did not let it end
  kExitUnconfirmed = 9,   // kvs_server: drained, but its ledger has not confirmed every change. Their callers were told
};

}  // namespace kvs
