using System;

namespace Tiltyard
{
    /// <summary>
    /// The view of a fight: a snapshot and the deltas after it, with the digest as the proof that it has not drifted.
    /// </summary>
    public static class Views
    {
        /// <summary>The view of a snapshot; throws <see cref="Drift"/> where its digest is wrong.</summary>
        public static View Of(Snapshot snapshot)
        {
            Check(snapshot.View, snapshot.H);
            return snapshot.View;
        }

        /// <summary>
        /// The view after <paramref name="delta"/>, which must be the one after sequence <paramref name="q"/>;
        /// <paramref name="view"/> stays as it was. Throws <see cref="Drift"/>.
        /// </summary>
        public static View After(View view, long q, Delta delta)
        {
            if (delta.Q != q + 1)
            {
                throw new Drift(DriftKind.Gap, "delta " + delta.Q + " came where " + (q + 1) + " was due");
            }
            var after = view.Copy();
            after.Participants = Patched(view.Participants, delta);
            after.Phase = delta.Ph ?? view.Phase;
            if (delta.C != null)
            {
                after.Covers = (long[])view.Covers.Clone();
                foreach (var cover in delta.C)
                {
                    after.Covers[Known(cover[0], view.Covers.Length)] = cover[1];
                }
            }
            if (delta.Z != null)
            {
                after.Hazards = (Hazard[])view.Hazards.Clone();
                foreach (var hazard in delta.Z)
                {
                    after.Hazards[Known(hazard[0], view.Hazards.Length)] = new Hazard { Health = hazard[1], Gone = (int)hazard[2] };
                }
            }
            after.Modifiers = delta.M ?? view.Modifiers;
            if (delta.H.HasValue)
            {
                Check(after, delta.H.Value);
            }
            return after;
        }

        private static Participant[] Patched(Participant[] before, Delta delta)
        {
            var count = Math.Min(before.Length, Math.Max(0, delta.N ?? before.Length));
            if (count == before.Length && delta.P.Length == 0)
            {
                return before;
            }
            var after = new Participant[count];
            Array.Copy(before, after, count);
            foreach (var patch in delta.P)
            {
                if (patch.I == after.Length && patch.IsWhole)
                {
                    Array.Resize(ref after, after.Length + 1);
                }
                after[Known(patch.I, after.Length)] = Patched(after[patch.I], patch);
            }
            return after;
        }

        private static Participant Patched(Participant before, Patch patch)
        {
            Participant after;
            if (patch.IsWhole)
            {
                after = new Participant();
            }
            else if (patch.Hides)
            {
                after = new Participant
                {
                    Player = before.Player, Team = before.Team, Status = before.Status, Ready = before.Ready, Score = before.Score,
                };
            }
            else
            {
                after = before.Copy();
            }
            patch.Over(after);
            return after;
        }

        private static long Known(long place, int count)
        {
            if (place < 0 || place >= count)
            {
                throw new Drift(DriftKind.Unknown, "a delta names number " + place + ", which is not in the view");
            }
            return place;
        }

        private static void Check(View view, long h)
        {
            var here = Digest.Of(view);
            if (here != h && Digest.Knows(view))
            {
                throw new Drift(DriftKind.Digest, "digest " + here + " here, " + h + " at the server");
            }
        }
    }
}
