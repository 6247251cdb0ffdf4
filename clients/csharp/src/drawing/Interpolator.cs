using System;
using System.Collections.Generic;

namespace Tiltyard
{
    /// <summary>
    /// Where the others are drawn: a little in the past, between two places that the server has told. A delta is sent for every
    /// sequence, so one that says nothing of a participant says that there is nothing new. Who says how it moves is drawn on a
    /// curve, and goes on for a moment where the next place is late.
    /// </summary>
    public sealed class Interpolator
    {
        private const int MarksMax = 32;
        /// <summary>
        /// Who has not been told of for longer was standing, and is drawn as starting this long before it arrived.
        /// </summary>
        private const long StepMs = 250;

        private readonly List<List<Mark>> tracks = new List<List<Mark>>();
        /// <summary>Session time of the state that is known best.</summary>
        private long known;

        /// <summary>A whole view: everybody is where it says, and was nowhere before.</summary>
        public void Snapshot(View view, long at)
        {
            tracks.Clear();
            foreach (var participant in view.Participants)
            {
                tracks.Add(Begun(participant, at));
            }
            known = at;
        }

        /// <summary>What a delta says of places; <paramref name="view"/> is the one after it.</summary>
        public void Delta(Delta delta, View view)
        {
            if (delta.N < tracks.Count)
            {
                tracks.RemoveRange(delta.N.Value, tracks.Count - delta.N.Value);
            }
            foreach (var patch in delta.P)
            {
                while (tracks.Count <= patch.I && patch.I < view.Participants.Length) tracks.Add(null);
                if (patch.I >= view.Participants.Length)
                {
                    continue;
                }
                var who = view.Participants[patch.I];
                if (patch.IsWhole || who.Hidden)
                {
                    tracks[patch.I] = Begun(who, delta.At);
                }
                else if (patch.Moves)
                {
                    Step(patch.I, new Mark(who, delta.At));
                }
            }
            known = delta.At;
        }

        /// <summary>
        /// Where the participant in <paramref name="slot"/> was at session time <paramref name="at"/>; <c>null</c>
        /// where it was not seen.
        /// </summary>
        public Place? Place(int slot, double at)
        {
            var track = slot >= 0 && slot < tracks.Count ? tracks[slot] : null;
            if (track == null)
            {
                return null;
            }
            var next = 0;
            while (next < track.Count && track[next].At <= at) next += 1;
            if (next == 0)
            {
                return track[0].Place;
            }
            var before = track[next - 1];
            return next == track.Count ? before.Beyond(at) : before.Toward(track[next], at);
        }

        private static List<Mark> Begun(Participant who, long at)
        {
            return who.Hidden ? null : new List<Mark> { new Mark(who, at) };
        }

        private void Step(int slot, Mark mark)
        {
            var track = tracks[slot] ?? (tracks[slot] = new List<Mark>());
            var last = track.Count > 0 ? track[track.Count - 1] : mark;
            var stood = Math.Max(known, mark.At - StepMs);
            if (!last.Moves && stood > last.At && stood < mark.At)
            {
                last.At = stood;
                track.Add(last);
            }
            track.Add(mark);
            if (track.Count > MarksMax)
            {
                track.RemoveRange(0, track.Count - MarksMax);
            }
        }
    }
}
