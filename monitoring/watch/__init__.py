"""Champions watched for a change: charts, the ledger of alarms, and what an alarm sets going."""
