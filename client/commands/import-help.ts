/** Help texts of `jobhours import`. Owns words only. */
import { POOL_FIELDS } from '../../domain/pool-template.js';
import { SACCT_FIELDS } from '../../domain/sacct-record.js';

const COMMON = `
Everything is checked before anything is applied: with rejected records nothing is, unless --partial is given.
Importing the same file again changes nothing; a record with other content corrects the run and keeps its former
values. --covers A,B says that the input has everything of its sources that touches [A, B): so reports know that a day
without records is a day without jobs. FILE may be - for standard input, and may be compressed by gzip. Exit status 2 when records were rejected.`;

export const SACCT_HELP = `
The input is what Open XDMoD asks sacct for: 26 fields separated by |. A header line may name them in another order, or
fewer or others: needed are jobidraw, cluster, user or uid, submit, start, end, state, alloctres and nodelist.
  TZ=UTC sacct -M CLUSTER --allusers --allocations --duplicates --parsable2 --noheader -S 2026-01-01 -E 2026-02-01 \
--format=${SACCT_FIELDS.join(',')} > sacct.txt
Not with -T, which cuts starts and ends. Steps and jobs that never started are set aside. A job is known by
jobidraw@submit in its cluster.
--gres says what shards and slices of GPUs count for, in milli-GPUs: 1000 = one GPU. Without it a slice counts as
a whole GPU, as Slurm bills it, and other gres than gpu do not count.
--pool names pools by fields in braces: ${POOL_FIELDS.join(', ')}.

Examples:
  jobhours import sacct sacct.txt
  jobhours import sacct - --partial --rejects rejects.csv < sacct.txt
  jobhours import sacct local.txt.gz --zone Europe/Berlin --source hpc1
  jobhours import sacct sacct.txt --pool '{cluster}/{gputype}' --gres gpu:a100_1g.5gb=143 --gres shard=250
${COMMON}`;

export const CSV_HELP = `
Columns: user,space,pool,job_id,attempt,gpus,submit,start,end with a header; space, pool, attempt and submit may be
absent. Times are ISO 8601 with offset (or --zone, or numbers with --time-unit). An empty or 0 end = still running.
A job is known by job_id and attempt in its --source. Other columns are kept with the run.

Examples:
  jobhours import csv jobs.csv
  jobhours import csv jobs.csv --map user=owner,gpus=num_gpus --set pool=a100 --zone Europe/Berlin
  jobhours import csv trace.csv --time-unit s --time-origin 2025-01-01T00:00:00Z --missing-end 2025-02-01T00:00:00Z
${COMMON}`;

export const JSONL_HELP = `
One flat object in each line, with the names user, space, pool, job_id, attempt, gpus, submit, start, end as for csv;
null is empty. Times are ISO 8601 text with offset (or --zone, or numbers with --time-unit). A job id above 2^53 must
be text. Other members are kept with the run; nested ones are refused: flatten them, for example with jq.

Examples:
  jobhours import jsonl jobs.jsonl
  jobhours import jsonl pods.jsonl.gz --source k8s --map user=owner,space=namespace --set pool=a100
  jq -c '.jobs[]' jobs.json | jobhours import jsonl - --time-unit s
${COMMON}`;

export const SWF_HELP = `
The Standard Workload Format 2.2 of the Parallel Workloads Archive: 18 numbers a line, -1 = unknown. A run starts at
submit + wait and ends run time later, counted from the header's UnixStartTime, or from --time-origin. The format
has no GPUs: --gpus-from names a CSV file with the columns job,gpus, or --set gpus=N gives all jobs N.
User 12, group 3 and partition 1 become user:12, space group:3 and pool partition:1, unless --set names them: they
are numbers of one log, and must not be taken for names. An unknown user becomes user:unknown.
Pieces of jobs between checkpoints (status 2, 3, 4) and jobs that were cancelled before they started are set aside.

Examples:
  jobhours import swf log.swf.gz --source archive --set gpus=1
  jobhours import swf log.swf --gpus-from gpus.csv --set space=lab --set pool=v100
  jobhours import swf old.swf --time-origin 1996-07-01T00:00:00Z --set gpus=0 --missing-end reject
${COMMON}`;
