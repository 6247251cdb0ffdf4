using System.Collections.Generic;

namespace Tiltyard
{
    /// <summary>
    /// Where the player itself is drawn: where it said it went, as long as the server has neither shown nor refused that. What the
    /// server has applied is told by the id that comes with every state.
    /// </summary>
    public sealed class Predictor
    {
        private readonly List<Claim> claims = new List<Claim>();

        private struct Claim
        {
            public long Id;
            public double X;
            public double Y;
            public double? F;
        }

        /// <summary>
        /// The move <paramref name="id"/> says that the player is there; <c>null</c> is the facing it had.
        /// </summary>
        public void Go(long id, double x, double y, double? f)
        {
            claims.Add(new Claim { Id = id, X = x, Y = y, F = f });
        }

        /// <summary>The state that is shown has everything up to <paramref name="id"/>.</summary>
        public void Applied(long id)
        {
            for (var place = claims.Count - 1; place >= 0; place -= 1)
            {
                if (claims[place].Id <= id) claims.RemoveAt(place);
            }
        }

        /// <summary>The move <paramref name="id"/> did not happen.</summary>
        public void Refused(long id)
        {
            for (var place = claims.Count - 1; place >= 0; place -= 1)
            {
                if (claims[place].Id == id) claims.RemoveAt(place);
            }
        }

        /// <summary>Forgets all that is not shown.</summary>
        public void Reset()
        {
            claims.Clear();
        }

        /// <summary>Where the player is, the server having it at <paramref name="shown"/>.</summary>
        public Place Place(Place shown)
        {
            if (claims.Count == 0)
            {
                return shown;
            }
            var facing = shown.F;
            foreach (var claim in claims) facing = claim.F ?? facing;
            var last = claims[claims.Count - 1];
            return new Place(last.X, last.Y, facing);
        }
    }
}
